/* Stores three times to each of two fixed addresses, waits for half a second, and does the same again. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static void store(volatile long *page)
{
    for (int i = 0; i < 3; i++) {
        page[1]++;
        page[2]++;
    }
}

int main(void)
{
    volatile long *page = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (page == MAP_FAILED)
        return 1;
    store(page);
    usleep(500000);
    store(page);
    printf("%ld %ld\n", page[1], page[2]);
    return 0;
}
