/* Passes marked places (USDT) whose arguments are of all sizes and in all kinds of operand, then three times one that is
 * passed only while somebody traces it. */
#include "usdt.h"
#include <stdio.h>

MARK_SEMAPHORE(demo, counted);

static long table[4] = {100, 200, 300, -400};
int total = -77;

__attribute__((noinline)) static void numbers(int small, unsigned long large)
{
    MARK2(demo, numbers, -4, small, 8, large);
}

__attribute__((noinline)) static void constants(void)
{
    MARK2(demo, constants, -4, -5, 1, 200);
}

__attribute__((noinline)) static void registers(void)
{
    unsigned long value = 0xfedcba98f6f5f4f3;
#ifdef __aarch64__
    /* No register is the second byte of another one. */
    MARK_TEXT(demo, unsigned_parts, "1@%w0 1@%1 2@%w0 4@%w0 8@%0", "r"(value), "r"(value >> 8));
    MARK_TEXT(demo, signed_parts, "-1@%w0 -1@%1 -2@%w0 -4@%w0 -8@%0", "r"(value), "r"(value >> 8));
#else
    MARK_TEXT(demo, unsigned_parts, "1@%%al 1@%%ah 2@%%ax 4@%%eax 8@%%rax", "a"(value));
    MARK_TEXT(demo, signed_parts, "-1@%%al -1@%%ah -2@%%ax -4@%%eax -8@%%rax", "a"(value));
#endif
}

__attribute__((noinline)) static void memory(void)
{
#ifdef __aarch64__
    unsigned long page = (unsigned long)&total & ~0xfffUL;
    MARK_TEXT(demo, memory, "-8@[%0] -8@[%0, 8] -8@[%0, %1, lsl 3] -8@[%2, %1] -4@[%3, #:lo12:total] 8f@d0", "r"(table),
              "r"(2L), "r"((char *)(table + 3) - 2), "r"(page), "m"(table), "m"(total));
#else
    MARK_TEXT(demo, memory, "-8@(%0) -8@8(%0) -8@(%0,%1,8) -8@8(%0,%1,8) -4@total(%%rip) 8f@%%xmm0", "r"(table), "r"(2L),
              "m"(table));
#endif
}

int main(void)
{
    MARK0(demo, start);
    numbers(-3, 5000000000);
    constants();
    registers();
    memory();
    int passed = 0;
    for (int i = 1; i <= 3; i++)
        if (MARK_ENABLED(demo, counted)) {
            MARK1_COUNTED(demo, counted, -4, i);
            passed++;
        }
    MARK0(other, start);
    printf("%d\n", passed);
    return 0;
}
