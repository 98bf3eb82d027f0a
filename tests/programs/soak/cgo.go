package main

/*
#include <stdint.h>

extern uint64_t soakBack(uint64_t tag);

// Its frame is large, and it calls back: the runtime has C frames between its own.
static uint64_t through(uint64_t tag) {
	volatile char frame[4096];
	frame[tag & 4095] = 1;
	return soakBack(tag + frame[tag & 4095]) - frame[tag & 4095];
}
*/
import "C"

//export soakBack
func soakBack(tag C.uint64_t) C.uint64_t { return C.uint64_t(echoBack(uint64(tag))) }

func throughC(tag uint64) uint64 { return uint64(C.through(C.uint64_t(tag))) }
