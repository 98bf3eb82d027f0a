/* Archive reads recipes of a tea house. A recipe may be in one of several folders; the first one that has it counts. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const folders[] = {"/etc/camellia", "/usr/local/share/camellia", "/usr/share/camellia", "."};
static const char *const teas[] = {"assam", "oolong", "sencha"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What the program really did, for `gotrace workshop N --check`: added to the file that WORKSHOP_FACTS names, at the end. */
static char facts[65536];

static void note(const char *kind, const char *word) {
    size_t used = strlen(facts);
    snprintf(facts + used, sizeof(facts) - used, "%s\t%s\n", kind, word);
}

static void write_facts(void) {
    const char *path = getenv("WORKSHOP_FACTS");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (file) {
        fputs(facts, file);
        fclose(file);
    }
}

/* Opens the recipe of a tea. */
__attribute__((noinline)) int open_recipe(const char *tea) {
    char path[100];
    for (size_t i = 0; i < COUNT(folders); i++) {
        snprintf(path, sizeof(path), "%s/%s.txt", folders[i], tea);
        int file = open(path, O_RDONLY);
        if (file >= 0)
            return file;
        note("missed", path);
    }
    return -1;
}

/* Counts the lines of a recipe. */
__attribute__((noinline)) int count_lines(int file) {
    int lines = 0;
    char c;
    do {
        note("read", "1");
        if (read(file, &c, 1) != 1)
            break;
        lines += c == '\n';
    } while (1);
    return lines;
}

int main(void) {
    for (size_t i = 0; i < COUNT(teas); i++) {
        char path[100];
        snprintf(path, sizeof(path), "./%s.txt", teas[i]);
        FILE *recipe = fopen(path, "w");
        if (!recipe)
            return 1;
        fprintf(recipe, "warm the pot\n%s for three minutes\nserve\n", teas[i]);
        fclose(recipe);
    }
    int lines = 0;
    for (int round = 0; round < 4; round++)
        for (size_t i = 0; i < COUNT(teas); i++) {
            int file = open_recipe(teas[i]);
            lines += count_lines(file);
            close(file);
        }
    for (size_t i = 0; i < COUNT(teas); i++) {
        char path[100];
        snprintf(path, sizeof(path), "./%s.txt", teas[i]);
        unlink(path);
    }
    printf("%d lines\n", lines);
    write_facts();
    return 0;
}
