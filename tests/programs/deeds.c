/* Does what tracing tools show: each argument names a deed, which is told when it is done. Some of what is asked of the kernel fails. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KEEP __attribute__((noinline, noclone))

static void opens(void)
{
	close(open("/etc/passwd", O_RDONLY));
	open("/no/such/file", O_RDONLY);
	if (chdir("/usr"))
		return;
	open("not/here", O_RDONLY);
	open("", O_WRONLY);
	close(openat(AT_FDCWD, "bin", O_RDONLY | O_DIRECTORY));
	if (chdir("/"))
		return;
	open("missing", O_RDONLY);
}

static void signals(void)
{
	signal(SIGUSR1, SIG_IGN);
	signal(SIGRTMIN, SIG_IGN);
	kill(getpid(), 0);
	kill(getpid(), SIGUSR1);
	kill(4999999, SIGTERM);
	syscall(SYS_tkill, getpid(), SIGUSR1);
	syscall(SYS_tgkill, getpid(), getpid(), SIGRTMIN);
	kill(getpid(), 99);
}

static void sleeps(void)
{
	struct timespec time = {0, 12000000};

	nanosleep(&time, NULL);
	time.tv_nsec = 7000000;
	clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
	time.tv_sec = 1;
	syscall(SYS_nanosleep, &time, NULL);
}

/* The process is another user's then. */
static void users(void)
{
	syscall(SYS_setresuid, 0, -1, 5);
	setfsuid(7);
	syscall(SYS_setresuid, 3, 4, 5);
	syscall(SYS_setuid, 77);
}

static void stats(void)
{
	struct stat status;
	struct statx more;
	struct statfs system;

	stat("/etc/passwd", &status);
#ifdef SYS_stat
	syscall(SYS_stat, "/no/stat", &status);
	syscall(SYS_lstat, "/etc/group", &status);
#endif
	statx(AT_FDCWD, "/etc/group", 0, STATX_ALL, &more);
	statx(AT_FDCWD, "not-here", 0, STATX_ALL, &more);
	statfs("/proc", &system);
	statfs("/no/system", &system);
}

static int temporary(void)
{
	char name[] = "/tmp/deeds-XXXXXX";
	int file = mkstemp(name);

	unlink(name);
	return file;
}

static void syncs(void)
{
	int file = temporary();
	char *page;

	if (ftruncate(file, 8192))
		return;
	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	page[0] = 1;
	msync(page, 8192, MS_SYNC);
	fsync(file);
	fdatasync(file);
	sync_file_range(file, 0, 4096, SYNC_FILE_RANGE_WRITE);
	syncfs(file);
	sync();
	close(file);
}

static void start(const char *program, char **words)
{
	if (fork() == 0) {
		execv(program, words);
		_exit(1);
	}
	wait(NULL);
}

static void programs(void)
{
	char *words[] = {"/bin/true", "one", "two words", "", "last", NULL}, *many[21], names[20][8];
	int i;

	for (i = 0; i < 20; i++) {
		snprintf(names[i], sizeof(names[i]), "w%d", i);
		many[i] = names[i];
	}
	many[20] = NULL;
	start("/bin/true", words);
	start("/no/program", words);
	start("/bin/true", many);
}

KEEP void *thread(void *argument)
{
	return argument;
}

/* The process stays a moment: who traces it looks up names in it. */
static void threads(void)
{
	struct timespec moment = {0, 200000000};
	pthread_t id;
	int i;

	for (i = 0; i < 3; i++)
		if (!pthread_create(&id, NULL, thread, NULL))
			pthread_join(id, NULL);
	nanosleep(&moment, NULL);
}

static void names(void)
{
	struct addrinfo *found;
	unsigned address = htonl(0x7f000001);

	getaddrinfo("localhost", "80", NULL, &found);
	getaddrinfo("127.0.0.9", NULL, NULL, &found);
	gethostbyname("127.0.0.8");
	gethostbyaddr(&address, sizeof(address), AF_INET);
}

/* Reads and writes past the cache of pages, where the file system has blocks. */
static void blocks(void)
{
	char name[] = "/tmp/deeds-XXXXXX";
	int i, file = mkostemp(name, O_DIRECT);
	void *data;

	unlink(name);
	if (posix_memalign(&data, 4096, 65536))
		return;
	memset(data, 1, 65536);
	for (i = 0; i < 5; i++)
		if (pwrite(file, data, 4096 << i, 65536 * i) < 0)
			return;
	fsync(file);
	for (i = 0; i < 5; i++)
		if (pread(file, data, 4096, 65536 * i) < 0)
			return;
}

static void dirties(void)
{
	char data[65536];
	int i, file = temporary();

	memset(data, 1, sizeof(data));
	for (i = 0; i < 30; i++)
		if (write(file, data, sizeof(data)) < 0)
			return;
	syncfs(file);
}

/* A connection from port 47112 to 47111 that takes 3000 bytes, and one that is refused. */
static void connects(void)
{
	struct sockaddr_in server = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001), .sin_port = htons(47111)};
	struct sockaddr_in client = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001), .sin_port = htons(47112)};
	int yes = 1, from, to, listening = socket(AF_INET, SOCK_STREAM, 0);
	char data[3000] = "";

	setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listening, (struct sockaddr *)&server, sizeof(server)) || listen(listening, 4))
		return;
	from = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(from, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(from, (struct sockaddr *)&client, sizeof(client)) || connect(from, (struct sockaddr *)&server, sizeof(server)))
		return;
	to = accept(listening, NULL, NULL);
	if (write(from, data, sizeof(data)) < 0 || read(to, data, sizeof(data)) < 0)
		return;
	close(to);
	close(from);
	close(listening);
	from = socket(AF_INET, SOCK_STREAM, 0);
	connect(from, (struct sockaddr *)&server, sizeof(server));
	close(from);
}

/* A message of seven bytes through a socket of the Unix domain. */
static void messages(void)
{
	int ends[2];
	char data[16];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends))
		return;
	if (write(ends[0], "a\tb c\1d", 7) < 0 || read(ends[1], data, sizeof(data)) < 0)
		return;
	close(ends[0]);
	close(ends[1]);
}

static void forks(void)
{
	int i;

	for (i = 0; i < 7; i++) {
		if (fork() == 0)
			_exit(0);
		wait(NULL);
	}
}

KEEP void spins(void)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - start.tv_sec) * 1000000000 + now.tv_nsec - start.tv_nsec < 500000000);
}

static const struct {
	const char *name;
	void (*done)(void);
} deeds[] = {
	{"opens", opens},     {"signals", signals},   {"sleeps", sleeps},     {"users", users},
	{"stats", stats},       {"syncs", syncs},     {"programs", programs}, {"threads", threads},   {"names", names},
	{"blocks", blocks},     {"dirties", dirties}, {"connects", connects}, {"messages", messages}, {"forks", forks},
	{"spins", spins},
};

int main(int count, char **words)
{
	size_t i;
	int word;

	for (word = 1; word < count; word++)
		for (i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++)
			if (strcmp(words[word], deeds[i].name) == 0) {
				deeds[i].done();
				printf("%s\n", deeds[i].name);
			}
	return 0;
}
