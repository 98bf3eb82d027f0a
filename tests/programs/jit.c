// Makes a function while it runs, writes its name down for tracers, and calls it.
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((noinline, noclone)) void called(void) { __asm__ volatile("" ::: "memory"); }

// push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret
static const unsigned char code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};

int main(void) {
    void *made = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char path[64];
    FILE *map;

    if (made == MAP_FAILED) return 1;
    memcpy(made, code, sizeof(code));
    snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
    map = fopen(path, "w");
    if (!map) return 1;
    fprintf(map, "%lx %zx made while running (jit.js:3)\n", (unsigned long)made, sizeof(code));
    fclose(map);
    for (int i = 0; i < 3; i++) {
        ((void (*)(void (*)(void)))made)(called);
        usleep(200 * 1000);
    }
    unlink(path);
    printf("called 3\n");
    return 0;
}
