/* Calls through the C library and from a signal handler, in functions that keep no frame pointers. */
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

volatile long sink;

__attribute__((noinline)) void leaf(long n) { sink += n; }

__attribute__((noinline)) int compare(const void *a, const void *b)
{
    leaf(1);
    return *(const int *)a - *(const int *)b;
}

__attribute__((noinline)) void middle(void)
{
    int two[] = { 2, 1 };
    qsort(two, 2, sizeof *two, compare);
    sink += two[0];
}

__attribute__((noinline)) void outer(void) { middle(); sink++; }

__attribute__((noinline)) void handler(int signal)
{
    leaf(100 + signal);
    sink++;
}

__attribute__((noinline)) void interrupted(void) { raise(SIGUSR1); sink++; }

__attribute__((noinline)) void spin(void)
{
    /* Processor time, so that samples are taken however busy the machine is. */
    while (clock() < CLOCKS_PER_SEC / 2)
        sink++;
    sink++;
}

__attribute__((noinline)) void busy(void) { spin(); sink++; }

__attribute__((noinline)) void says(void) { sink += write(1, "done\n", 5); }

int main(void)
{
    outer();
    signal(SIGUSR1, handler);
    interrupted();
    busy();
    says();
    return 0;
}
