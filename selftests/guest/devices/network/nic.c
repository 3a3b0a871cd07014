// SPDX-License-Identifier: MIT
/*
 * Reads and sets properties of a network interface, as ethtool does.
 *
 * usage: nic INTERFACE stats | channels [COUNT] | FEATURE [on|off]
 */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct {
	const char *name;
	__u32 get, set;
} features[] = {
	{ "rx", ETHTOOL_GRXCSUM, ETHTOOL_SRXCSUM },
	{ "tx", ETHTOOL_GTXCSUM, ETHTOOL_STXCSUM },
	{ "sg", ETHTOOL_GSG, ETHTOOL_SSG },
	{ "tso", ETHTOOL_GTSO, ETHTOOL_STSO },
	{ "gso", ETHTOOL_GGSO, ETHTOOL_SGSO },
	{ "gro", ETHTOOL_GGRO, ETHTOOL_SGRO },
};

static struct ifreq request;

static int ask(void *what)
{
	static int fd = -1;

	if (fd < 0)
		fd = socket(AF_INET, SOCK_DGRAM, 0);
	request.ifr_data = what;
	return ioctl(fd, SIOCETHTOOL, &request);
}

static int stats(void)
{
	struct {
		struct ethtool_sset_info info;
		__u32 count;
	} set = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1 << ETH_SS_STATS } };
	struct ethtool_gstrings *names;
	struct ethtool_stats *values;
	__u32 i;

	if (ask(&set) < 0 || !set.info.sset_mask)
		return -1;
	names = calloc(1, sizeof(*names) + set.count * ETH_GSTRING_LEN);
	values = calloc(1, sizeof(*values) + set.count * sizeof(__u64));
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_STATS;
	names->len = set.count;
	values->cmd = ETHTOOL_GSTATS;
	values->n_stats = set.count;
	if (ask(names) < 0 || ask(values) < 0)
		return -1;
	for (i = 0; i < set.count; i++)
		printf("%.*s %llu\n", ETH_GSTRING_LEN, names->data + i * ETH_GSTRING_LEN,
		       values->data[i]);
	return 0;
}

static int channels(const char *count)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };

	if (ask(&channels) < 0)
		return -1;
	if (count) {
		channels.cmd = ETHTOOL_SCHANNELS;
		channels.combined_count = atoi(count);
		return ask(&channels);
	}
	printf("%u %u\n", channels.combined_count, channels.max_combined);
	return 0;
}

static int feature(const char *name, const char *value)
{
	struct ethtool_value word = { .data = value && !strcmp(value, "on") };
	unsigned int i;

	for (i = 0; i < sizeof(features) / sizeof(*features); i++) {
		if (strcmp(features[i].name, name))
			continue;
		word.cmd = value ? features[i].set : features[i].get;
		if (ask(&word) < 0)
			return -1;
		if (!value)
			puts(word.data ? "on" : "off");
		return 0;
	}
	fprintf(stderr, "nic: no feature %s\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	int ret;

	if (argc < 3) {
		fprintf(stderr, "usage: nic INTERFACE stats|channels [COUNT]|FEATURE [on|off]\n");
		return 2;
	}
	snprintf(request.ifr_name, IFNAMSIZ, "%s", argv[1]);
	if (!strcmp(argv[2], "stats"))
		ret = stats();
	else if (!strcmp(argv[2], "channels"))
		ret = channels(argv[3]);
	else
		ret = feature(argv[2], argv[3]);
	if (ret < 0)
		perror(argv[2]);
	return ret < 0;
}
