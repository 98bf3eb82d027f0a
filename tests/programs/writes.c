/* Writes 1001, 1002, ... 1005 bytes to /dev/null, and once to a descriptor that is open for reading only. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    static char bytes[2000];
    int null = open("/dev/null", O_WRONLY), zero = open("/dev/zero", O_RDONLY);
    long written = 0;

    for (int i = 1; i <= 5; i++)
        written += write(null, bytes, 1000 + i);
    printf("%ld %ld\n", written, (long)write(zero, bytes, 1006));
    return 0;
}
