/* Echo servers with nothing but the C library: the stand-in for main.go where no Go is installed.
 *
 *   baseline tcp|udp|http HOST:PORT
 *
 * One thread and epoll, which is faster than Go's goroutine a connection. HTTP is the least that keep-alive needs: GET
 * is answered with OK, POST with its body; a head is at most 4 KiB, a body at most 1 MiB, Content-Length only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ 4096
#define MAX_BODY (1 << 20)

struct conn {
    int fd;
    size_t have, room;  /* http: bytes of requests not yet answered */
    char *request;
    size_t owed, given; /* bytes to send, and how many of them are sent */
    char *reply;        /* NULL but while the peer takes nothing: then nothing more is read */
};

static int epoll_fd, http;

static void watch(struct conn *c, uint32_t events, int operation) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(epoll_fd, operation, c->fd, &event);
}

static void end(struct conn *c) {
    close(c->fd);
    free(c->request);
    free(c->reply);
    free(c);
}

/* Sends; keeps what the kernel does not take. Returns 0 when the connection is broken. */
static int put(struct conn *c, const char *bytes, size_t count) {
    ssize_t sent = send(c->fd, bytes, count, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return 0;
    if (sent < 0) sent = 0;
    if ((size_t)sent == count) return 1;
    c->owed = count - (size_t)sent;
    c->given = 0;
    c->reply = malloc(c->owed);
    memcpy(c->reply, bytes + sent, c->owed);
    watch(c, EPOLLOUT, EPOLL_CTL_MOD);
    return 1;
}

static int flush(struct conn *c) {
    ssize_t sent = send(c->fd, c->reply + c->given, c->owed - c->given, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    c->given += (size_t)sent;
    if (c->given < c->owed) return 1;
    free(c->reply);
    c->reply = NULL;
    watch(c, EPOLLIN, EPOLL_CTL_MOD);
    return 1;
}

/* Answers the whole requests there are, one after another. Returns 0 when the connection is to end. */
static int answer(struct conn *c) {
    static char reply[READ + MAX_BODY];
    while (!c->reply) {
        char *blank = memmem(c->request, c->have, "\r\n\r\n", 4), *line = c->request;
        size_t length = 0, head, count;
        if (!blank) return c->have < READ;
        head = (size_t)(blank + 4 - c->request);
        while ((line = memchr(line, '\n', (size_t)(blank + 2 - line))) && line < blank)
            if (!strncasecmp(++line, "content-length:", 15)) length = strtoul(line + 15, NULL, 10);
        if (length > MAX_BODY) return 0;
        if (c->have < head + length) return 1;
        int posts = !strncmp(c->request, "POST ", 5);
        const char *body = posts ? c->request + head : "OK";
        size_t body_length = posts ? length : 2;
        count = (size_t)snprintf(reply, READ, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
                                 body_length);
        memcpy(reply + count, body, body_length);
        c->have -= head + length;
        memmove(c->request, c->request + head + length, c->have);
        if (!put(c, reply, count + body_length)) return 0;
    }
    return 1;
}

static int readable(struct conn *c) {
    static char buffer[READ];
    if (!http) {
        ssize_t got = recv(c->fd, buffer, sizeof buffer, 0);
        return got > 0 ? put(c, buffer, (size_t)got) : got < 0 && errno == EAGAIN;
    }
    if (c->room - c->have < READ) c->request = realloc(c->request, c->room += c->room + READ);
    ssize_t got = recv(c->fd, c->request + c->have, c->room - c->have, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    c->have += (size_t)got;
    return answer(c);
}

static void serve_streams(int listener) {
    struct epoll_event events[256];
    struct conn listening = {.fd = listener};
    int one = 1;
    epoll_fd = epoll_create1(0);
    watch(&listening, EPOLLIN, EPOLL_CTL_ADD);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < count; i++) {
            struct conn *c = events[i].data.ptr;
            if (c == &listening) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (fd < 0) continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                c = calloc(1, sizeof *c);
                c->fd = fd;
                watch(c, EPOLLIN, EPOLL_CTL_ADD);
            } else if (c->reply ? !flush(c) || (http && !c->reply && !answer(c)) : !readable(c)) {
                end(c);
            }
        }
    }
}

static void serve_datagrams(int fd) {
    static char buffer[65536];
    for (;;) {
        struct sockaddr_in peer;
        socklen_t length = sizeof peer;
        ssize_t got = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&peer, &length);
        if (got >= 0) sendto(fd, buffer, (size_t)got, 0, (struct sockaddr *)&peer, length);
    }
}

int main(int argc, char **argv) {
    char host[64] = "";
    int port = 0, one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct rlimit files;
    if (argc != 3 || sscanf(argv[2], "%63[^:]:%d", host, &port) != 2 || inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
        (strcmp(argv[1], "tcp") && strcmp(argv[1], "udp") && strcmp(argv[1], "http"))) {
        fprintf(stderr, "usage: baseline tcp|udp|http HOST:PORT\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    http = !strcmp(argv[1], "http");
    int datagrams = !strcmp(argv[1], "udp");
    int fd = socket(AF_INET, datagrams ? SOCK_DGRAM : SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    address.sin_port = htons((uint16_t)port);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || (!datagrams && listen(fd, 4096))) {
        perror(argv[2]);
        return 1;
    }
    if (datagrams) serve_datagrams(fd);
    else serve_streams(fd);
    return 0;
}
