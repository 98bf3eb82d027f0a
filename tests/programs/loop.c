/* Calls tick(1), tick(2), ... every few milliseconds until SIGTERM, after saying that it is ready. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

__attribute__((noinline, noclone)) long tick(long n)
{
	usleep(2000);
	return n * 2;
}

int main(void)
{
	long n = 0;

	signal(SIGTERM, stop);
	puts("ready");
	fflush(stdout);
	while (!stopped)
		tick(++n);
	puts("stopped");
	return 0;
}
