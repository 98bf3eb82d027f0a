package main

/*
#include "usdt.h"
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Thread-local variables of C move the place of the runtime's own.
static __thread long naps[40];

__attribute__((noinline)) long nap_in_c(unsigned long id) {
	struct timespec t = {0, 1000000 + (long)id};
	naps[id % 40]++;
	MARK_TEXT(served, nap, "8@%0", "nor"(id));
	syscall(SYS_nanosleep, &t, 0);
	return naps[id % 40];
}
*/
import "C"

func napInC(id uint64) { C.nap_in_c(C.ulong(id)) }
