// Works for a while in one function, then rests in another one.
#include <stdio.h>
#include <unistd.h>

__attribute__((noinline)) long works(long rounds) {
    volatile long sum = 0;
    for (long i = 0; i < rounds; i++) sum += i;
    return sum;
}

__attribute__((noinline)) void rests(void) { usleep(50 * 1000); }

int main(void) {
    long sum = works(300 * 1000 * 1000L);
    for (int i = 0; i < 20; i++) rests();
    printf("%ld\n", sum);
    return 0;
}
