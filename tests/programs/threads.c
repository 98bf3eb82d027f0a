/* Eight named threads call work() 100 times each; tells the number of calls. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>

enum { THREADS = 8, CALLS = 100 };

__attribute__((noinline, noclone)) long work(long thread, long call)
{
	__asm__ volatile("" ::: "memory");
	return thread * 1000 + call;
}

static void *run(void *argument)
{
	long thread = (long)argument, call;
	char name[16];

	snprintf(name, sizeof(name), "worker-%ld", thread);
	pthread_setname_np(pthread_self(), name);
	for (call = 0; call < CALLS; call++)
		work(thread, call);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	long i;

	for (i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, run, (void *)i))
			return 1;
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("work calls %d\n", THREADS * CALLS);
	return 0;
}
