/* The origin behind every proxy: the cheapest HTTP/1.1 server that can share a core with the load generator, so that
 * the proxy, never the origin, is what a run measures. One thread, epoll, one answer prepared in advance, nothing
 * allocated for a request. It counts blank lines, so requests must carry no body.
 *
 *     origin PORT BODY_BYTES
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 65536, MAX_EVENTS = 256, READ_BYTES = 65536, MAX_BODY = 1 << 20 };

static char answer[MAX_BODY + 256];
static size_t answer_bytes;

/* How much of CR LF CR LF the connection with this descriptor has just sent; it outlives a read that ends inside. */
static unsigned char matched[MAX_CONNECTIONS];

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void prepare_answer(size_t body_bytes) {
  int head_bytes = snprintf(answer, sizeof answer,
                            "HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
                            body_bytes);
  memset(answer + head_bytes, 'x', body_bytes);
  answer_bytes = (size_t)head_bytes + body_bytes;
}

static int listen_on(int port) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) die("listen");
  return listener;
}

static void watch(int epoll, int descriptor) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event)) die("epoll_ctl");
}

static void accept_all(int epoll, int listener) {
  int connection, on = 1;
  while ((connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    if (connection >= MAX_CONNECTIONS) {
      close(connection);
      continue;
    }
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    matched[connection] = 0;
    watch(epoll, connection);
  }
}

static int count_requests(int connection, const char *bytes, ssize_t length) {
  static const char end[] = "\r\n\r\n";
  int requests = 0;
  unsigned position = matched[connection];
  for (ssize_t i = 0; i < length; i++) {
    if (bytes[i] == end[position]) position++;
    else position = bytes[i] == '\r';
    if (position == 4) requests++, position = 0;
  }
  matched[connection] = (unsigned char)position;
  return requests;
}

/* Spins when the socket is full: the load generator always reads, and an answer is far smaller than a socket buffer. */
static int send_answer(int connection) {
  for (size_t sent = 0; sent < answer_bytes;) {
    ssize_t n = write(connection, answer + sent, answer_bytes - sent);
    if (n > 0) sent += (size_t)n;
    else if (errno != EAGAIN) return -1;
  }
  return 0;
}

static void serve(int connection) {
  static char bytes[READ_BYTES];
  ssize_t length = read(connection, bytes, sizeof bytes);
  if (length < 0 && errno == EAGAIN) return;
  int failed = length <= 0;
  for (int left = failed ? 0 : count_requests(connection, bytes, length); left > 0 && !failed; left--)
    failed = send_answer(connection);
  if (failed) close(connection);
}

int main(int argc, char **argv) {
  int port = argc == 3 ? atoi(argv[1]) : 0, body_bytes = argc == 3 ? atoi(argv[2]) : -1;
  if (port < 1 || port > 65535 || body_bytes < 0 || body_bytes > MAX_BODY) {
    fprintf(stderr, "usage: origin PORT BODY_BYTES (at most %d)\n", MAX_BODY);
    return 2;
  }
  prepare_answer((size_t)body_bytes);
  int listener = listen_on(port), epoll = epoll_create1(0);
  if (epoll < 0) die("epoll_create1");
  watch(epoll, listener);
  for (struct epoll_event events[MAX_EVENTS];;) {
    int ready = epoll_wait(epoll, events, MAX_EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.fd == listener) accept_all(epoll, listener);
      else serve(events[i].data.fd);
    }
  }
}
