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

/* With an argument, the calls through the C library are made again and again for so many seconds. */
int main(int argc, char **argv)
{
    outer();
    if (argc > 1) {
        for (time_t end = time(0) + atoi(argv[1]); time(0) < end; usleep(100))
            outer();
        return 0;
    }
    signal(SIGUSR1, handler);
    interrupted();
    busy();
    says();
    return 0;
}
