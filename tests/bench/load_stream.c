/* The modes which do not ask and await in turn: tcp-bulk, udp, tcp-idle. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define WRONG_ANSWER "the answer is not what was sent"

/* tcp-bulk: one endless stream a connection, of a pattern whose period, a prime, fits no buffer: a byte lost, doubled
 * or moved shows. An operation is SIZE bytes come back. At the end the stream is half-closed and must come back whole. */
#define PERIOD 251
#define WINDOW (256 * 1024) /* bytes on the way in one connection: enough to keep it busy, little to drain */

static char pattern[PERIOD + (1 << 20)];

static void prepare_bulk(void) {
    for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = (char)(i % PERIOD);
}

static void push_bulk(struct conn *c) {
    while (!stopping && c->sent - c->got < WINDOW) {
        ssize_t sent = send(c->fd, pattern + c->sent % PERIOD, plan.size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            count_error(errno_text());
            drop(c);
            return;
        }
        if (sent < 0) break;
        c->sent += (uint64_t)sent;
    }
    watch(c, EPOLLIN | (!stopping && c->sent - c->got < WINDOW ? EPOLLOUT : 0));
}

static void open_bulk(struct conn *c) {
    c->fd = open_socket(SOCK_STREAM, 0, 0);
    if (c->fd >= 0) watch(c, EPOLLOUT);
}

static void fail_bulk(struct conn *c, const char *sentence) {
    count_error(sentence);
    drop(c);
}

static void ready_bulk(struct conn *c, uint32_t events) {
    if (events & ~(uint32_t)EPOLLOUT) {
        ssize_t got = recv(c->fd, c->in, 65536, 0);
        if (!got && stopping && c->got == c->sent) drop(c);
        else if (!got) fail_bulk(c, "the server closed the connection");
        else if (got < 0 && errno != EAGAIN) fail_bulk(c, errno_text());
        else if (got > 0 && memcmp(c->in, pattern + c->got % PERIOD, (size_t)got)) fail_bulk(c, WRONG_ANSWER);
        if (c->fd < 0) return;
        if (got > 0 && !stopping) {
            total.operations += (c->got + (uint64_t)got) / plan.size - c->got / plan.size;
            total.bytes += (uint64_t)got;
        }
        if (got > 0) c->got += (uint64_t)got;
    }
    push_bulk(c);
}

static void finish_bulk(struct conn *c) {
    shutdown(c->fd, SHUT_WR);
    watch(c, EPOLLIN);
}

const struct mode TCP_BULK = {"tcp-bulk", prepare_bulk, open_bulk, ready_bulk, NULL, finish_bulk};

/* udp: a datagram in flight a socket; one not answered within 200 ms is counted lost, and another is sent. A late
 * answer carries an old number and is passed over; any other wrong content is an error. */
#define RESEND_NS 200000000ull

static size_t stamp(char *at, uint64_t number) { /* twice, the second time inverted, as far as there is room */
    uint64_t both[2] = {number, ~number};
    size_t room = plan.size < sizeof both ? plan.size : sizeof both;
    memcpy(at, both, room);
    return room;
}

static int is_late(const char *answer, uint64_t expected) {
    uint64_t both[2];
    if (plan.size < sizeof both) return 1; /* too small to tell */
    memcpy(both, answer, sizeof both);
    return both[0] == ~both[1] && both[0] < expected;
}

static void send_datagram(struct conn *c) {
    stamp(c->out, ++c->sequence);
    c->began = now_ns();
    if (send(c->fd, c->out, plan.size, 0) < 0 && errno != EAGAIN) count_error(errno_text());
}

static void open_udp(struct conn *c) {
    for (size_t i = 0; i < plan.size; i++) c->out[i] = (char)('a' + i % 23);
    c->fd = open_socket(SOCK_DGRAM, 0, 0);
    if (c->fd < 0) return;
    send_datagram(c);
    watch(c, EPOLLIN);
}

static void ready_udp(struct conn *c, uint32_t events) {
    ssize_t got = recv(c->fd, c->in, plan.size + 1, 0);
    (void)events;
    if (got < 0 && errno == EAGAIN) return;
    if (got < 0) { /* ECONNREFUSED: nobody listens; the next is sent when this one's time is up */
        count_error(errno_text());
        return;
    }
    if ((size_t)got == plan.size && !memcmp(c->in, c->out, plan.size)) count_answer(c, (uint64_t)got);
    else if ((size_t)got == plan.size && is_late(c->in, c->sequence)) return;
    else count_error(WRONG_ANSWER);
    if (stopping) drop(c);
    else send_datagram(c);
}

static void tick_udp(struct conn *c, uint64_t now) {
    if (now - c->began < RESEND_NS) return;
    total.lost += !stopping;
    if (stopping) drop(c);
    else send_datagram(c);
}

const struct mode UDP = {"udp", NULL, open_udp, ready_udp, tick_udp, NULL};

/* tcp-idle: connections which say PING once, so that the server has surely accepted them, and then nothing. When all
 * are held it says so on stderr; SIGTERM ends the holding early. A connection the server closes meanwhile is an error. */
double run_idle(void) {
    struct pollfd *held = calloc((size_t)plan.concurrency, sizeof *held);
    char answer[4];
    int count = 0;
    uint64_t start = now_ns(), end;
    for (int i = 0; i < plan.concurrency && total.errors < 10; i++) {
        int fd = open_socket(SOCK_STREAM, 1, 1);
        if (fd < 0) continue;
        held[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
        if (send(fd, "PING", 4, MSG_NOSIGNAL) != 4 || recv(fd, answer, 4, MSG_WAITALL) != 4) count_error(errno_text());
        else if (memcmp(answer, "PING", 4)) count_error(WRONG_ANSWER);
        else total.operations++;
    }
    end = now_ns() + (uint64_t)(plan.seconds * 1e9);
    fprintf(stderr, "held %d\n", count);
    while (now_ns() < end && total.errors < 10 && !interrupted) {
        if (poll(held, (nfds_t)count, 100) < 1) continue;
        for (int i = 0; i < count; i++)
            if (held[i].revents) {
                count_error("the server closed an idle connection");
                close(held[i].fd);
                held[i].fd = -1;
            }
    }
    for (int i = 0; i < count; i++)
        if (held[i].fd >= 0) close(held[i].fd);
    return (double)(now_ns() - start) / 1e9;
}
