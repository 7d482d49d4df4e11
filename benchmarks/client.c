/* client: puts load on a task agent and prints the figures as one line of JSON.
 *
 *     client [-c CONNECTIONS] [-n REQUESTS] [-t TIMEOUT_MS] PORT COMMAND [ARG...]
 *     client --hold [-c CONNECTIONS] ...    one request on each connection, all sent before any result is read
 *     client --drain ...                    one request on one connection, for a result of any size
 *
 * Each connection sends a request, waits for its result, and sends the next one, until REQUESTS results are in. Every
 * mode runs the same loop, so that its figures can be compared. Results are counted and scanned, never kept: the
 * client's own memory and JSON parsing must not affect the figures.
 *
 * Exit status 1, and a reason on stderr, if a server closes a connection early or sends nothing for 300 s.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_MAX = 4096, HEAD_MAX = 2 * REQUEST_MAX, CHUNK = 1 << 18, PATIENCE_MS = 300000 };

/* exit_code is between the echoed command and the output: the head of a result is enough to find it. */
struct connection {
  int fd;
  double sent_at;
  size_t head_size;
  char head[HEAD_MAX + 1];
};

struct load {
  int port, connections, requests;
  const char *timeout;
  char request[REQUEST_MAX];
  size_t request_size;
};

struct tally {
  int sent, answered, bad;
  unsigned long long bytes;
  double *latency; /* milliseconds, one for each result */
};

static void die(const char *format, ...) {
  va_list values;
  va_start(values, format);
  vfprintf(stderr, format, values);
  va_end(values);
  fputc('\n', stderr);
  exit(1);
}

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Commands come from the runner: only quotes and backslashes have to be escaped. */
static void compose(struct load *load, char **command) {
  char *to = stpcpy(load->request, "{\"command\":[");
  const char *limit = load->request + REQUEST_MAX - 64;
  for (char **word = command; *word; word++) {
    if (word != command) *to++ = ',';
    *to++ = '"';
    for (const char *at = *word; *at; at++) {
      if (*at == '"' || *at == '\\') *to++ = '\\';
      *to++ = *at;
      if (to > limit) die("the command is too long");
    }
    *to++ = '"';
  }
  load->request_size = (size_t)(to + sprintf(to, "],\"timeout\":%.20s}\n", load->timeout) - load->request);
}

static void send_request(struct connection *to, const struct load *load, struct tally *tally) {
  to->head_size = 0;
  to->sent_at = now_ms();
  if (send(to->fd, load->request, load->request_size, MSG_NOSIGNAL) != (ssize_t)load->request_size)
    die("could not send a request: %m");
  tally->sent++;
}

static void open_connection(struct connection *connection, int port, int poller) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int on = 1;
  address.sin_port = htons((in_port_t)port);
  connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof address))
    die("could not connect: %m");
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct epoll_event event = {EPOLLIN, {.ptr = connection}};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, connection->fd, &event)) die("could not watch a connection: %m");
}

/* Quotes inside a JSON string are escaped, so this text can only be the key itself. */
static bool succeeded(const char *head) {
  const char *code = strstr(head, "\"exit_code\":");
  char *end;
  if (!code) return false;
  code += strlen("\"exit_code\":");
  return strtol(code, &end, 10) == 0 && end != code;
}

/* One read; true at the end of a result. At most one result is in transit, so a newline ends the chunk. */
static bool receive(struct connection *from, struct tally *tally) {
  static char chunk[CHUNK];
  ssize_t count = recv(from->fd, chunk, sizeof chunk, 0);
  if (count <= 0) die("the server closed a connection after %d results", tally->answered);
  size_t size = (size_t)count, room = HEAD_MAX - from->head_size, kept = size < room ? size : room;
  memcpy(from->head + from->head_size, chunk, kept);
  from->head_size += kept;
  tally->bytes += size;
  if (!memchr(chunk, '\n', size)) return false;
  from->head[from->head_size] = '\0';
  tally->latency[tally->answered++] = now_ms() - from->sent_at;
  if (!succeeded(from->head)) tally->bad++;
  return true;
}

static void run(const struct load *load, struct connection *connections, int poller, struct tally *tally) {
  struct epoll_event events[256];
  for (int i = 0; i < load->connections && i < load->requests; i++) send_request(&connections[i], load, tally);
  while (tally->answered < load->requests) {
    int count = epoll_wait(poller, events, 256, PATIENCE_MS);
    if (count <= 0) die("no answer for %d s, after %d results", PATIENCE_MS / 1000, tally->answered);
    for (int i = 0; i < count; i++) {
      struct connection *connection = events[i].data.ptr;
      if (receive(connection, tally) && tally->sent < load->requests) send_request(connection, load, tally);
    }
  }
}

static int ascending(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static void report(const struct load *load, struct tally *tally, double connect_ms, double ms) {
  int n = load->requests;
  qsort(tally->latency, (size_t)n, sizeof *tally->latency, ascending);
  printf("{\"connections\":%d,\"requests\":%d,\"bad\":%d,\"connect_s\":%.6f,\"seconds\":%.6f,\"tasks_per_s\":%.2f,"
         "\"p50_ms\":%.4f,\"p95_ms\":%.4f,\"p99_ms\":%.4f,\"max_ms\":%.4f,\"bytes\":%llu,\"mb_per_s\":%.3f}\n",
         load->connections, n, tally->bad, connect_ms / 1e3, ms / 1e3, n / ms * 1e3, tally->latency[n / 2],
         tally->latency[(int)(n * 0.95)], tally->latency[(int)(n * 0.99)], tally->latency[n - 1], tally->bytes,
         (double)tally->bytes / 1e3 / ms);
}

static void parse_options(struct load *load, int argc, char **argv) {
  static const struct option names[] = {{"connections", required_argument, NULL, 'c'},
                                        {"requests", required_argument, NULL, 'n'},
                                        {"timeout", required_argument, NULL, 't'},
                                        {"drain", no_argument, NULL, 'd'},
                                        {"hold", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};
  bool hold = false, valid = true;
  *load = (struct load){.connections = 1, .requests = 1, .timeout = "600000"};
  /* "+": options of the command belong to the command. */
  for (int option; (option = getopt_long(argc, argv, "+c:n:t:", names, NULL)) != -1;) {
    if (option == 'c') load->connections = atoi(optarg);
    else if (option == 'n') load->requests = atoi(optarg);
    else if (option == 't') load->timeout = optarg;
    else if (option == 'h') hold = true;
    else if (option == 'd') load->connections = load->requests = 1;
    else valid = false;
  }
  if (hold) load->requests = load->connections;
  if (!valid || argc - optind < 2 || load->connections < 1 || load->requests < 1)
    die("usage: client [--hold | --drain] [-c CONNECTIONS] [-n REQUESTS] [-t TIMEOUT_MS] PORT COMMAND [ARG...]");
  load->port = atoi(argv[optind]);
  compose(load, argv + optind + 1);
}

int main(int argc, char **argv) {
  struct load load;
  struct rlimit files;
  parse_options(&load, argc, argv);
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  int poller = epoll_create1(EPOLL_CLOEXEC);
  struct connection *connections = calloc((size_t)load.connections, sizeof *connections);
  struct tally tally = {.latency = calloc((size_t)load.requests, sizeof *tally.latency)};
  double opening = now_ms();
  for (int i = 0; i < load.connections; i++) open_connection(&connections[i], load.port, poller);
  double started = now_ms();
  run(&load, connections, poller, &tally);
  report(&load, &tally, started - opening, now_ms() - started);
}
