/* The modes which ask, await the answer and ask again: tcp-fresh, tcp-kept, http, http-post. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum progress { MORE, WHOLE, WRONG };

static char message[1200 + (1 << 20)]; /* what every connection sends, but for the stamp in its body */
static size_t out_length, in_room, body_at;
static int fresh;
static enum progress (*judge)(struct conn *);

static void begin(struct conn *c);

static void open_exchange(struct conn *c) {
    c->began = now_ns(); /* the connect is part of the operation of tcp-fresh */
    c->fd = open_socket(SOCK_STREAM, fresh, 0);
    if (c->fd < 0) return;
    memcpy(c->out, message, out_length);
    begin(c);
}

static void fail(struct conn *c, const char *sentence) {
    count_error(sentence);
    drop(c);
    if (!stopping && total.errors < MAX_ERRORS) open_exchange(c);
}

static void push(struct conn *c) {
    ssize_t sent = send(c->fd, c->out + c->sent, out_length - c->sent, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        fail(c, errno_text());
        return;
    }
    if (sent > 0) c->sent += (uint64_t)sent;
    watch(c, EPOLLIN | (c->sent < out_length ? EPOLLOUT : 0));
}

static void begin(struct conn *c) {
    char stamp[17];
    size_t room = out_length - body_at < 16 ? out_length - body_at : 16;
    if (!fresh) { /* each message differs from the last, so that an old answer is noticed */
        snprintf(stamp, sizeof stamp, "%016llx", (unsigned long long)c->sequence++);
        memcpy(c->out + body_at, stamp + 16 - room, room);
        c->began = now_ns();
    }
    c->sent = c->got = 0;
    push(c);
}

static void ready_exchange(struct conn *c, uint32_t events) {
    if (events & EPOLLOUT) {
        push(c);
        if (!(events & EPOLLIN)) return;
    }
    ssize_t got = recv(c->fd, c->in + c->got, in_room - c->got, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        fail(c, got ? errno_text() : "the server closed the connection");
        return;
    }
    c->got += (uint64_t)got;
    enum progress progress = judge(c);
    if (progress == WRONG) {
        fail(c, "the answer is not what was sent");
        return;
    }
    if (progress == MORE) return;
    count_answer(c, c->got);
    if (fresh || stopping) drop(c);
    if (stopping) return;
    if (fresh) open_exchange(c);
    else begin(c);
}

static enum progress judge_echo(struct conn *c) {
    if (c->got > out_length || memcmp(c->in, c->out, c->got)) return WRONG;
    return c->got == out_length ? WHOLE : MORE;
}

/* Status 200, Content-Length, and the body: `OK` with or without a line end, or what was posted. */
static enum progress judge_http(struct conn *c) {
    size_t posted = out_length - body_at, length = 0;
    int found = 0;
    char *end = memmem(c->in, c->got, "\r\n\r\n", 4), *body = end + 4;
    if (!end) return c->got == in_room ? WRONG : MORE;
    if (memcmp(c->in, "HTTP/1.1 200", 12)) return WRONG;
    for (char *line = memchr(c->in, '\n', c->got); line && line < end; line = memchr(line, '\n', (size_t)(end + 2 - line))) {
        if (strncasecmp(++line, "content-length:", 15)) continue;
        length = strtoul(line + 15, NULL, 10);
        found = 1;
    }
    if (!found || length > plan.size + 16) return WRONG;
    size_t have = c->got - (size_t)(body - c->in);
    if (have != length) return have > length ? WRONG : MORE;
    if (posted) return length == posted && !memcmp(body, c->out + body_at, posted) ? WHOLE : WRONG;
    return length >= 2 && length <= 4 && !memcmp(body, "OK", 2) ? WHOLE : WRONG;
}

static void prepare(enum progress (*how)(struct conn *), const char *head, int has_body) {
    judge = how;
    in_room = plan.size + 65536;
    body_at = out_length = (size_t)snprintf(message, 1024, head, plan.size);
    for (size_t i = 0; has_body && i < plan.size; i++) message[out_length++] = (char)('a' + i % 23);
}

static void prepare_fresh(void) {
    prepare(judge_echo, "PING", 0);
    fresh = 1;
}

static void prepare_kept(void) { prepare(judge_echo, "", 1); }

static void prepare_get(void) { prepare(judge_http, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 0); }

static void prepare_post(void) {
    prepare(judge_http, "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\n"
                        "Content-Length: %zu\r\n\r\n", 1);
}

const struct mode TCP_FRESH = {"tcp-fresh", prepare_fresh, open_exchange, ready_exchange, NULL, NULL};
const struct mode TCP_KEPT = {"tcp-kept", prepare_kept, open_exchange, ready_exchange, NULL, NULL};
const struct mode HTTP_GET = {"http", prepare_get, open_exchange, ready_exchange, NULL, NULL};
const struct mode HTTP_POST = {"http-post", prepare_post, open_exchange, ready_exchange, NULL, NULL};
