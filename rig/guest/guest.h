/* SPDX-License-Identifier: GPL-2.0-only */
/* Interfaces between the parts of the guest's first process. */
#ifndef PVG_GUEST_H
#define PVG_GUEST_H

#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

#define CHUNK		3072	/* payload bytes of one frame, before base64 */

/*
 * Files of the rig, in /pvg:
 *	command		arguments, each ended by a NUL; missing for a shell
 *	settings	lines of the form key=value
 *	devices		lines such as net/eth0 or block/xvda
 *	network		script that configures the interface that its argument names,
 *			missing where the other root's own programs do that
 *	switch		script that goes on with another root, if there is one
 */

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
char *read_rig_file(const char *name, size_t *size);
void exec_rig_file(const char *name, const char *argument);
long setting(const char *key, long otherwise);

/* devices.c */
int devices_listen(void);	/* returns the source of events, or -1 */
void devices_await(int events);
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
