/* Stores to a fixed address five times, and prints what is there. */
#include <stdio.h>
#include <sys/mman.h>

int main(void)
{
    volatile long *page = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (page == MAP_FAILED)
        return 1;
    for (long i = 1; i <= 5; i++)
        page[1] = i;
    printf("%ld\n", page[1]);
    return 0;
}
