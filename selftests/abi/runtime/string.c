// SPDX-License-Identifier: MIT
/* The few string and formatting functions that a bare guest needs. */
#include "rt.h"

void *memset(void *d, int c, size_t n)
{
	void *p = d;

	asm volatile("rep stosb" : "+D" (p), "+c" (n) : "a" (c) : "memory");
	return d;
}

void *memcpy(void *d, const void *s, size_t n)
{
	void *p = d;

	asm volatile("rep movsb" : "+D" (p), "+S" (s), "+c" (n) : : "memory");
	return d;
}

void *memmove(void *d, const void *s, size_t n)
{
	char *to = d;
	const char *from = s;

	if (to <= from || to >= from + n)
		return memcpy(d, s, n);
	while (n--)
		*(volatile char *)(to + n) = from[n];
	return d;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (*(const volatile char *)(s + n))
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *(const unsigned char *)a - *(const unsigned char *)b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && *a == *b; n--) {
		a++;
		b++;
	}
	return n ? *(const unsigned char *)a - *(const unsigned char *)b : 0;
}

char *strcpy(char *d, const char *s)
{
	return memcpy(d, s, strlen(s) + 1);
}

bool mem_is(const void *p, int c, size_t n)
{
	const unsigned char *b = p;

	while (n--)
		if (*b++ != (unsigned char)c)
			return false;
	return true;
}

struct out {
	char *at, *end;
};

static void put(struct out *o, char c)
{
	if (o->at < o->end)
		*o->at++ = c;
}

static void put_number(struct out *o, unsigned long v, unsigned int base,
		       int width, char pad)
{
	char digits[24];
	int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	for (; width > n; width--)
		put(o, pad);
	while (n)
		put(o, digits[--n]);
}

int vformat(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = { buf, buf + size - 1 };

	for (; *fmt; fmt++) {
		bool is_long = false;
		char pad = ' ';
		int width = 0;

		if (*fmt != '%') {
			put(&o, *fmt);
			continue;
		}
		fmt++;
		if (*fmt == '0')
			pad = *fmt++;
		while (*fmt >= '0' && *fmt <= '9')
			width = width * 10 + *fmt++ - '0';
		while (*fmt == 'l') {
			is_long = true;
			fmt++;
		}
		switch (*fmt) {
		case 'd': {
			long v = is_long ? va_arg(ap, long) : va_arg(ap, int);

			if (v < 0)
				put(&o, '-');
			put_number(&o, v < 0 ? -(unsigned long)v : (unsigned long)v, 10,
				   width, pad);
			break;
		}
		case 'u':
		case 'x': {
			unsigned long v = is_long ? va_arg(ap, unsigned long) :
						    va_arg(ap, unsigned int);

			put_number(&o, v, *fmt == 'u' ? 10 : 16, width, pad);
			break;
		}
		case 'p':
			put_number(&o, va_arg(ap, unsigned long), 16, 16, '0');
			break;
		case 's': {
			const char *s = va_arg(ap, const char *);

			while (*s)
				put(&o, *s++);
			break;
		}
		case 'c':
			put(&o, (char)va_arg(ap, int));
			break;
		default:
			put(&o, *fmt);
		}
	}
	*o.at = 0;
	return (int)(o.at - buf);
}

int format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vformat(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
