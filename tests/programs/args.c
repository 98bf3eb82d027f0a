/*
 * Functions with the argument and result kinds of the C ABI, each called a known number of times.
 * Globals serve uaddr() and usym().
 */
#include <stdio.h>
#include <string.h>

#define NOINLINE __attribute__((noinline, noclone))

struct point {
	int x;
	int y;
};

struct shape {
	char kind;
	short sides;
	long area;
	const char *name;
	struct point origin;
	struct point *corner;
	unsigned char bytes[4];
};

long counter = 4711;
char motto[] = "to be read";

NOINLINE long six(long a, int b, short c, signed char d, unsigned e, unsigned char f)
{
	counter++;
	return a + b + c + d + e + f;
}

NOINLINE long eight(long a, long b, long c, long d, long e, long f, long g, long h)
{
	counter++;
	return a + b + c + d + e + f + g + h;
}

NOINLINE long ten(long a, long b, long c, long d, long e, long f, long g, long h, short i, long j)
{
	__asm__ volatile("" : : : "memory");
	return a + b + c + d + e + f + g + h + i + j;
}

NOINLINE const char *greet(const char *name, int times)
{
	static char text[64];

	snprintf(text, sizeof(text), "hello %s x%d", name, times);
	return text;
}

NOINLINE int area(struct shape *s, int scale)
{
	counter++;
	return (int)(s->area * scale) + s->corner->y;
}

NOINLINE int negative(int n)
{
	counter++;
	return -n;
}

NOINLINE void nothing(void)
{
	counter++;
}

int main(void)
{
	struct point corner = { 30, 40 };
	struct shape s = { 'q', 4, 1200, "quad", { 10, 20 }, &corner, { 1, 2, 3, 250 } };
	int i;

	printf("six %ld\n", six(100000000000, -2, -3, -4, 4000000000U, 200));
	printf("eight %ld\n", eight(1, 2, 3, 4, 5, 6, 7, 8));
	printf("ten %ld\n", ten(1, 2, 3, 4, 5, 6, 7, 8, -9, 10));
	for (i = 1; i <= 3; i++)
		printf("%s\n", greet(i == 2 ? "you" : "world", i));
	printf("area %d\n", area(&s, 2));
	for (i = 0; i < 5; i++)
		negative(i);
	for (i = 0; i < 7; i++)
		nothing();
	printf("counter %ld %s\n", counter, motto);
	return 0;
}
