/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the guest's first process ask of each other. */
#ifndef PVG_GUEST_H
#define PVG_GUEST_H

#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

#define CHUNK		3072	/* payload bytes of one frame, before base64 */

/* Files that the rig puts into the initial RAM file system. */
#define COMMAND_FILE	"/pvg/command"	/* arguments, each ended by a NUL */
#define SETTINGS_FILE	"/pvg/settings"	/* lines of the form key=value */
#define DEVICES_FILE	"/pvg/devices"	/* lines such as net/eth0 or block/xvda */
#define NETWORK_SCRIPT	"/pvg/network"	/* configures the interface that it is told */

/* frames.c */
extern int console;
int open_console(void);
void console_raw(struct termios *before);
void send_frame(char type, const void *data, size_t size);
char receive_frame(char c, char *data, size_t *size);
void send_text(char type, const char *text);
void complain(const char *what);
void wait_for_ack(int patience);

/* settings.c */
char *read_file(const char *path, size_t *size);
long setting(const char *key, long otherwise);

/* devices.c */
int devices_start(void);	/* returns the source of events, or -1 */
void devices_event(int events);

/* orders.c */
void orders_start(void);
int orders_source(void);	/* what to wait for: a descriptor, or -1 */
void orders_event(void);
int give_order(char **words);

/* command.c */
int run_command(char **argv, int events);
int run_shell(const struct termios *cooked);

#endif /* PVG_GUEST_H */
