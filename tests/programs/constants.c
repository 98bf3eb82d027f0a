/* Asks for files by constant names that stand in pages of their own, which it never touches itself. */
#include <stdio.h>
#include <unistd.h>

static const char names[8][1 << 16] = {
	"/none/0", "/none/1", "/none/2", "/none/3", "/none/4", "/none/5", "/none/6", "/none/7",
};

int main(void)
{
	int found = 0;
	for (int i = 0; i < 8; i++)
		found += access(names[i], F_OK) == 0;
	printf("%d\n", found);
	return 0;
}
