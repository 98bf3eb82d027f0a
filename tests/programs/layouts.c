/*
 * A structure with everything that a C declaration can have besides plain members: bit-fields, an enumeration, a union,
 * anonymous members, arrays of arrays, packing.
 */
#include <stdint.h>
#include <stdio.h>

#define NOINLINE __attribute__((noinline, noclone))

enum state { IDLE, BUSY = 4, DONE, FAILED = -2 };

struct tag {
	uint8_t kind;
	uint32_t length;
	uint16_t flags : 3, rest : 13;
} __attribute__((packed));

struct packet {
	enum state state;
	unsigned version : 3;
	int delta : 5;
	unsigned : 0;
	unsigned long wide : 40;
	_Bool last : 1;
	enum state before : 4;
	union {
		uint32_t word;
		uint16_t half[2];
	} u;
	union {
		uint64_t id;
		struct {
			uint32_t low, high;
		};
	};
	int grid[2][3];
	char name[8];
	struct tag tag;
};

struct packet packets[2] = {
	{ BUSY, 5, -7, 0x1234567890, 1, DONE, { 0x10002 }, { 0x500000006 }, { { 1, 2, 3 }, { 4, 5, 6 } }, "first", { 9, 70000, 5, 4660 } },
	{ FAILED, 2, 15, 1, 0, IDLE, { 0xffff }, { 7 }, { { -1, 0, 1 }, { 10, 20, 30 } }, "eightchr", { 8, 1, 1, 2 } },
};

NOINLINE int handle(struct packet *p, int n)
{
	return p->grid[1][n] + (int)p->tag.length;
}

int main(void)
{
	for (int i = 0; i < 2; i++)
		printf("handle %d\n", handle(&packets[i], i));
	return 0;
}
