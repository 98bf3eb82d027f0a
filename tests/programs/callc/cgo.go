package main

/*
__attribute__((noinline)) long leaf_in_c(long n, long id) {
	__asm__ volatile("" : : "r"(id));
	return n * 2;
}

struct pair {
	long first;
	char name[8];
};

__attribute__((noinline)) long first_in_c_pair(struct pair *pair) {
	__asm__ volatile("" : : "r"(pair) : "memory");
	return pair->first;
}

__attribute__((noinline)) long twice_in_c(long n, long id) {
	struct pair pair = {n, "twice"};
	long result = leaf_in_c(first_in_c_pair(&pair), id);
	__asm__ volatile("" : "+r"(result));
	return result;
}
*/
import "C"

func twice(n, id int64) int64 { return int64(C.twice_in_c(C.long(n), C.long(id))) }
