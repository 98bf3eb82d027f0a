/*
 * Events for benchmarks: as often as the argument says, a file is opened, read and closed, and work() is called with a number
 * and a text. It prints nothing.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

static const char *const names[] = { "a", "of eight", "text of sixteen.", "a text that is longer than thirty-two bytes" };
static volatile long sum;

NOINLINE long work(long n, const char *name, int half)
{
	sum += n + *name + half;
	return n * 2;
}

NOINLINE long middle(long n)
{
	long result = work(n % 16, names[n % 4], (int)(n / 2));

	sum++;
	return result;
}

int main(int count, char **words)
{
	long n, times = count > 1 ? atol(words[1]) : 1;
	char text[256];

	for (n = 0; n < times; n++) {
		int fd = open("/proc/self/comm", O_RDONLY);

		if (fd < 0 || read(fd, text, sizeof(text)) < 0)
			return 1;
		close(fd);
		middle(n);
	}
	return 0;
}
