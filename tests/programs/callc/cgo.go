package main

/*
__attribute__((noinline)) long leaf_in_c(long n, long id) {
	__asm__ volatile("" : : "r"(id));
	return n * 2;
}

__attribute__((noinline)) long twice_in_c(long n, long id) {
	long result = leaf_in_c(n, id);
	__asm__ volatile("" : "+r"(result));
	return result;
}
*/
import "C"

func twice(n, id int64) int64 { return int64(C.twice_in_c(C.long(n), C.long(id))) }
