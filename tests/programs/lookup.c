// Looks up each host name that it is given, with both of C's interfaces.
#include <netdb.h>
#include <stdio.h>

int main(int count, char **names) {
    for (int i = 1; i < count; i++) {
        struct addrinfo *found = NULL;
        int error = getaddrinfo(names[i], NULL, NULL, &found);
        struct hostent *host = gethostbyname(names[i]);
        printf("%s %s %s\n", names[i], error ? "unknown" : "known", host ? "known" : "unknown");
    }
    return 0;
}
