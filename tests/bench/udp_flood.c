/* Sends UDP datagrams of 22 bytes (64 on an Ethernet with its checksum) as fast as one processor can, for a time.
 * usage: udp_flood ADDRESS PORT SECONDS; prints how many it has sent. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { batch = 64, size = 22 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int count, char** words) {
    if (count != 4) return 2;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(words[2]))};
    const int socket_ = socket(AF_INET, SOCK_DGRAM, 0);
    if (inet_pton(AF_INET, words[1], &to.sin_addr) != 1 || connect(socket_, (struct sockaddr*)&to, sizeof to) != 0)
        return 1;
    char payload[size];
    memset(payload, 'n', sizeof payload);
    struct iovec part = {payload, sizeof payload};
    struct mmsghdr messages[batch];
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < batch; ++i) {
        messages[i].msg_hdr.msg_iov = &part;
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    const double until = now() + atof(words[3]);
    unsigned long sent = 0;
    while (now() < until) {
        const int taken = sendmmsg(socket_, messages, batch, 0);
        if (taken > 0) sent += (unsigned long)taken;
        else if (errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED) return 1;
    }
    printf("%lu\n", sent);
    return 0;
}
