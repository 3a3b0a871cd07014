// SPDX-License-Identifier: MIT
/*
 * Back end of a console, to run in the control domain: maps the ring that the
 * guest has granted and sends each line back in capitals; the line "break" makes
 * it break the protocol.  Compiled with the kernel's nolibc, so that it is small
 * enough to be sent in an order.
 *
 * usage: console-back DOMID GRANT PORT
 */
struct xencons_interface {
	char in[1024];
	char out[2048];
	uint32_t in_cons, in_prod;
	uint32_t out_cons, out_prod;
};

struct gntdev_map {
	uint32_t count;
	uint32_t pad;
	uint64_t index;
	uint32_t domid;
	uint32_t ref;
};

struct evtchn_bind {
	uint32_t remote_domain;
	uint32_t remote_port;
};

#define GNTDEV_MAP	_IOC(0, 'G', 0, sizeof(struct gntdev_map))
#define EVTCHN_BIND	_IOC(0, 'E', 1, sizeof(struct evtchn_bind))
#define EVTCHN_NOTIFY	_IOC(0, 'E', 4, sizeof(uint32_t))

int main(int argc, char **argv)
{
	int gnt = open("/dev/xen/gntdev", O_RDWR);
	int evtchn = open("/dev/xen/evtchn", O_RDWR);
	struct gntdev_map map = { .count = 1 };
	struct evtchn_bind bind;
	volatile struct xencons_interface *ring;
	char line[64] = "";
	unsigned int len = 0;
	uint32_t port, event;
	int local;

	if (argc != 4 || gnt < 0 || evtchn < 0)
		return 2;
	map.domid = atoi(argv[1]);
	map.ref = atoi(argv[2]);
	bind.remote_domain = map.domid;
	bind.remote_port = atoi(argv[3]);
	if (ioctl(gnt, GNTDEV_MAP, &map))
		return 3;
	ring = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, gnt, map.index);
	if (ring == MAP_FAILED)
		return 4;
	local = ioctl(evtchn, EVTCHN_BIND, &bind);
	if (local < 0)
		return 5;
	port = local;
	for (;;) {
		while (ring->out_cons != ring->out_prod) {
			char c = ring->out[ring->out_cons % 2048];

			ring->out_cons++;
			line[len++ % 63] = c;
			if (c != '\n')
				continue;
			line[len < 64 ? len - 1 : 63] = 0;
			len = 0;
			if (!strcmp(line, "break")) {
				ring->in_prod = ring->in_cons + 5000;
				break;
			}
			for (char *p = line; *p; p++)
				ring->in[ring->in_prod++ % 1024] = *p >= 'a' ? *p - 32 : *p;
			ring->in[ring->in_prod++ % 1024] = '\n';
		}
		ioctl(evtchn, EVTCHN_NOTIFY, &port);
		if (read(evtchn, &event, 4) != 4)
			return 6;
		write(evtchn, &event, 4);
	}
}
