// SPDX-License-Identifier: MIT
/*
 * Pages shared by copy-on-write: as soon as one is replaced, by whatever way
 * the write came in, every vCPU of the process must use the new one; and as
 * soon as fork has returned, none may write to what the child shares.
 */
#include <linux/io_uring.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "tlb.h"

#define ROUNDS 6
#define OLD 100
#define NEW 200

/*
 * A child that shares all memory of its parent until it gets an order.  Its
 * address space is not the one that is changed, which is why it can also be
 * the one that changes it.
 */
struct sharer {
	pid_t pid;
	int orders[2];
	int answers[2];
};

/* Things that another process can do to the parent's page @place. */
enum order { ANSWER_VALUE = 'v', WRITE_MEM = 'm', WRITE_VM = 'w', POKE = 'p', END = 'e' };

static int write_mem(pid_t pid, void *place, __u64 value)
{
	char path[32];
	ssize_t done;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	done = pwrite(fd, &value, sizeof(value), (off_t)place);
	close(fd);
	return done == sizeof(value) ? 0 : -EIO;
}

static int write_vm(pid_t pid, void *place, __u64 value)
{
	struct iovec from = { &value, sizeof(value) };
	struct iovec to = { place, sizeof(value) };

	return process_vm_writev(pid, &from, 1, &to, 1, 0) == sizeof(value) ?
	       0 : -EIO;
}

static int poke(pid_t pid, void *place, __u64 value)
{
	int error = 0;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) ||
	    waitpid(pid, NULL, __WALL) != pid)
		return -errno;
	if (ptrace(PTRACE_POKEDATA, pid, place, value))
		error = -errno;
	return ptrace(PTRACE_DETACH, pid, NULL, NULL) ? -errno : error;
}

static void sharer_body(struct sharer *sharer, pid_t parent, char *place)
{
	char order;

	while (read(sharer->orders[0], &order, 1) == 1 && order != END) {
		__s64 answer = -EINVAL;

		if (order == ANSWER_VALUE)
			answer = READ_ONCE(*(__s64 *)place);
		else if (order == WRITE_MEM)
			answer = write_mem(parent, place, NEW);
		else if (order == WRITE_VM)
			answer = write_vm(parent, place, NEW);
		else if (order == POKE)
			answer = poke(parent, place, NEW);
		if (write(sharer->answers[1], &answer, sizeof(answer)) < 0)
			break;
	}
	_exit(0);
}

static int sharer_start(struct sharer *sharer, char *place)
{
	pid_t parent = getpid();

	if (pipe(sharer->orders) || pipe(sharer->answers))
		return -errno;
	sharer->pid = fork();
	if (!sharer->pid)
		sharer_body(sharer, parent, place);
	return sharer->pid < 0 ? -errno : 0;
}

static __s64 sharer_ask(struct sharer *sharer, char order)
{
	__s64 answer = -EPIPE;

	if (write(sharer->orders[1], &order, 1) != 1)
		return -EPIPE;
	/* A tracer interrupts what we do. */
	while (read(sharer->answers[0], &answer, sizeof(answer)) < 0 &&
	       errno == EINTR)
		;
	return answer;
}

static int sharer_end(struct sharer *sharer)
{
	char order = END;

	if (write(sharer->orders[1], &order, 1) != 1)
		return -EPIPE;
	for (int i = 0; i < 2; i++) {
		close(sharer->orders[i]);
		close(sharer->answers[i]);
	}
	return exit_status(sharer->pid);
}

/*
 * The ways in.  Each writes NEW to @place, in a page that all vCPUs have read
 * and the sharer still has; 0, or a negative error.
 */
typedef int way_in(struct vcpus *vcpus, struct sharer *sharer, char *place);

static int by_fault(struct vcpus *vcpus, struct sharer *sharer, char *place)
{
	return look_from(vcpus, vcpus->home, (struct look){
			 STORE, place, 1, NEW }) ? -EFAULT : 0;
}

static int by_fault_elsewhere(struct vcpus *vcpus, struct sharer *sharer,
			      char *place)
{
	int cpu = nth_cpu(vcpus, vcpus->count - 1);
	bool odd = look_from(vcpus, cpu, (struct look){ STORE, place, 1, NEW });

	go_to(vcpus, vcpus->home);
	return odd ? -EFAULT : 0;
}

static int by_own_mem(struct vcpus *vcpus, struct sharer *sharer, char *place)
{
	return write_mem(getpid(), place, NEW);
}

static int by_others_mem(struct vcpus *vcpus, struct sharer *sharer, char *place)
{
	return sharer_ask(sharer, WRITE_MEM);
}

static int by_own_writev(struct vcpus *vcpus, struct sharer *sharer, char *place)
{
	return write_vm(getpid(), place, NEW);
}

static int by_others_writev(struct vcpus *vcpus, struct sharer *sharer,
			    char *place)
{
	return sharer_ask(sharer, WRITE_VM);
}

static int by_ptrace(struct vcpus *vcpus, struct sharer *sharer, char *place)
{
	return sharer_ask(sharer, POKE);
}

/* A pipe that holds NEW, and whose end to read from is returned. */
static int pipe_with_value(void)
{
	__u64 value = NEW;
	int ends[2];

	if (pipe(ends))
		return -1;
	if (write(ends[1], &value, sizeof(value)) != sizeof(value)) {
		close(ends[0]);
		ends[0] = -1;
	}
	close(ends[1]);
	return ends[0];
}

static int by_read(struct vcpus *vcpus, struct sharer *sharer, char *place)
{
	int fd = pipe_with_value();
	ssize_t got = read(fd, place, sizeof(__u64));

	close(fd);
	return got == sizeof(__u64) ? 0 : -EIO;
}

/* An io_uring of one entry. */
struct uring {
	int fd;
	struct io_uring_params params;
	char *rings;
	size_t size;
	struct io_uring_sqe *entry;
};

static int uring_open(struct uring *uring)
{
	struct io_uring_params *p = &uring->params;

	memset(uring, 0, sizeof(*uring));
	uring->fd = syscall(SYS_io_uring_setup, 1, p);
	if (uring->fd < 0)
		return -errno;
	/* Both rings are one mapping since 5.4. */
	uring->size = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	if (uring->size < p->sq_off.array + p->sq_entries * sizeof(__u32))
		uring->size = p->sq_off.array + p->sq_entries * sizeof(__u32);
	uring->rings = mmap(NULL, uring->size, READ_WRITE,
			    MAP_SHARED | MAP_POPULATE, uring->fd,
			    IORING_OFF_SQ_RING);
	uring->entry = mmap(NULL, sizeof(*uring->entry), READ_WRITE,
			    MAP_SHARED | MAP_POPULATE, uring->fd,
			    IORING_OFF_SQES);
	return uring->rings == MAP_FAILED || (void *)uring->entry == MAP_FAILED ?
	       -ENOMEM : 0;
}

static void uring_close(struct uring *uring)
{
	munmap(uring->rings, uring->size);
	munmap(uring->entry, sizeof(*uring->entry));
	close(uring->fd);
}

static __u32 *uring_word(struct uring *uring, __u32 offset)
{
	return (__u32 *)(uring->rings + offset);
}

/* Carry out the entry; what it returned. */
static int uring_run(struct uring *uring)
{
	struct io_uring_params *p = &uring->params;
	struct io_uring_cqe *cqes;
	__u32 head;

	*uring_word(uring, p->sq_off.array) = 0;
	__atomic_add_fetch(uring_word(uring, p->sq_off.tail), 1,
			   __ATOMIC_RELEASE);
	while (syscall(SYS_io_uring_enter, uring->fd, 1, 1,
		       IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		if (errno != EINTR)
			return -errno;
	cqes = (struct io_uring_cqe *)(uring->rings + p->cq_off.cqes);
	head = *uring_word(uring, p->cq_off.head);
	return cqes[head & *uring_word(uring, p->cq_off.ring_mask)].res;
}

/* Read NEW from a pipe into @place by @opcode with @flags. */
static int uring_read(struct uring *uring, __u8 opcode, __u8 flags, char *place)
{
	int fd = pipe_with_value();
	int got;

	*uring->entry = (struct io_uring_sqe){
		.opcode = opcode,
		.flags = flags,
		.fd = fd,
		.addr = (unsigned long)place,
		.len = sizeof(__u64),
		.off = -1,
	};
	got = uring_run(uring);
	close(fd);
	return got == sizeof(__u64) ? 0 : got < 0 ? got : -EIO;
}

static int by_uring_worker(struct vcpus *vcpus, struct sharer *sharer,
			   char *place)
{
	struct uring uring;
	int error = uring_open(&uring);

	if (error)
		return error;
	/* A kernel thread that borrows our address space takes the fault. */
	error = uring_read(&uring, IORING_OP_READ, IOSQE_ASYNC, place);
	uring_close(&uring);
	return error;
}

static int by_uring_buffer(struct vcpus *vcpus, struct sharer *sharer,
			   char *place)
{
	struct iovec buffer = { place, PAGE };
	struct uring uring;
	int error = uring_open(&uring);

	if (error)
		return error;
	/* Registering replaces the page; what is read goes to it by its frame. */
	error = syscall(SYS_io_uring_register, uring.fd,
			IORING_REGISTER_BUFFERS, &buffer, 1) ? -errno : 0;
	error = error ?: uring_read(&uring, IORING_OP_READ_FIXED, 0, place);
	uring_close(&uring);
	return error;
}

/* One test for each way, so that each has its result. */
FIXTURE(way)
{
	struct vcpus *vcpus;
};

FIXTURE_VARIANT(way)
{
	bool siblings;
	way_in *write;
};

#define SPINS(way) { .siblings = true, .write = (way) }
#define MOVED(way) { .siblings = false, .write = (way) }

FIXTURE_VARIANT_ADD(way, by_fault_sibling_spins) SPINS(by_fault);
FIXTURE_VARIANT_ADD(way, by_fault_process_moved) MOVED(by_fault);
FIXTURE_VARIANT_ADD(way, by_fault_elsewhere_sibling_spins) SPINS(by_fault_elsewhere);
FIXTURE_VARIANT_ADD(way, by_fault_elsewhere_process_moved) MOVED(by_fault_elsewhere);
FIXTURE_VARIANT_ADD(way, by_own_mem_sibling_spins) SPINS(by_own_mem);
FIXTURE_VARIANT_ADD(way, by_own_mem_process_moved) MOVED(by_own_mem);
FIXTURE_VARIANT_ADD(way, by_others_mem_sibling_spins) SPINS(by_others_mem);
FIXTURE_VARIANT_ADD(way, by_others_mem_process_moved) MOVED(by_others_mem);
FIXTURE_VARIANT_ADD(way, by_own_writev_sibling_spins) SPINS(by_own_writev);
FIXTURE_VARIANT_ADD(way, by_own_writev_process_moved) MOVED(by_own_writev);
FIXTURE_VARIANT_ADD(way, by_others_writev_sibling_spins) SPINS(by_others_writev);
FIXTURE_VARIANT_ADD(way, by_others_writev_process_moved) MOVED(by_others_writev);
FIXTURE_VARIANT_ADD(way, by_ptrace_sibling_spins) SPINS(by_ptrace);
FIXTURE_VARIANT_ADD(way, by_ptrace_process_moved) MOVED(by_ptrace);
FIXTURE_VARIANT_ADD(way, by_read_sibling_spins) SPINS(by_read);
FIXTURE_VARIANT_ADD(way, by_read_process_moved) MOVED(by_read);
FIXTURE_VARIANT_ADD(way, by_uring_worker_sibling_spins) SPINS(by_uring_worker);
FIXTURE_VARIANT_ADD(way, by_uring_worker_process_moved) MOVED(by_uring_worker);
FIXTURE_VARIANT_ADD(way, by_uring_buffer_sibling_spins) SPINS(by_uring_buffer);
FIXTURE_VARIANT_ADD(way, by_uring_buffer_process_moved) MOVED(by_uring_buffer);

FIXTURE_SETUP(way)
{
	if (online_cpus() < 2)
		SKIP(return, "one processor only");
	self->vcpus = vcpus_new(variant->siblings);
	ASSERT_NE(NULL, self->vcpus);
}

FIXTURE_TEARDOWN(way)
{
	VCPUS_VERDICT(self->vcpus);
}

TEST_F(way, shared_with_a_child)
{
	struct vcpus *vcpus = self->vcpus;

	for (int round = 0; round < rounds(ROUNDS); round++) {
		char *page = own_pages(1);
		struct sharer sharer;

		ASSERT_NE(MAP_FAILED, page);
		next_home(vcpus, round);
		use(vcpus, STORE, page, 1, OLD);
		ASSERT_EQ(0, sharer_start(&sharer, page));
		use(vcpus, LOAD, page, 1, OLD);
		ASSERT_EQ(0, variant->write(vcpus, &sharer, page));
		must_find(vcpus, page, 1, NEW);
		EXPECT_EQ(OLD, sharer_ask(&sharer, ANSWER_VALUE));
		/* Whose turn it is to write now: the page is our own again. */
		for (int cpu = 0; cpu < vcpus->count; cpu++) {
			look_from(vcpus, cpu, (struct look){
				  STORE, page, 1, NEW + cpu });
			must_find(vcpus, page, 1, NEW + cpu);
		}
		EXPECT_EQ(OLD, sharer_ask(&sharer, ANSWER_VALUE));
		ASSERT_EQ(0, sharer_end(&sharer));
		ASSERT_EQ(0, munmap(page, PAGE));
	}
}

TEST_F(way, zero_page_or_file_replaced)
{
	struct vcpus *vcpus = self->vcpus;
	struct sharer sharer;
	int fd = memfd_create("tlb", MFD_CLOEXEC);
	__u64 old = OLD;
	char *pages;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, PAGE));
	ASSERT_EQ(sizeof(old), pwrite(fd, &old, sizeof(old), 0));
	pages = mmap(NULL, 2 * PAGE, PROT_NONE, ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, pages);
	for (int round = 0; round < rounds(ROUNDS); round++) {
		ASSERT_EQ(pages, mmap(pages, PAGE, READ_WRITE,
				      ANONYMOUS | MAP_FIXED, -1, 0));
		ASSERT_EQ(pages + PAGE, mmap(pages + PAGE, PAGE, READ_WRITE,
					     MAP_PRIVATE | MAP_FIXED, fd, 0));
		next_home(vcpus, round);
		use(vcpus, LOAD, pages, 1, 0);
		use(vcpus, LOAD, pages + PAGE, 1, OLD);
		for (int i = 0; i < 2; i++) {
			ASSERT_EQ(0, sharer_start(&sharer, pages + i * PAGE));
			ASSERT_EQ(0, variant->write(vcpus, &sharer, pages + i * PAGE));
			must_find(vcpus, pages + i * PAGE, 1, NEW);
			EXPECT_EQ(i ? OLD : 0, sharer_ask(&sharer, ANSWER_VALUE));
			ASSERT_EQ(0, sharer_end(&sharer));
		}
		ASSERT_EQ(sizeof(old), pread(fd, &old, sizeof(old), 0));
		EXPECT_EQ(OLD, old);
	}
	close(fd);
}

TEST_F(tlb, second_chunk_of_a_write_sees_what_the_first_replaced)
{
	struct vcpus *vcpus = self->vcpus;
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	/*
	 * Two pages' worth, read from the middle of the first page that is
	 * written.  The kernel copies page by page, and reads the second
	 * page's worth from where the first one has just gone.
	 */
	for (int round = 0; round < rounds(2 * ROUNDS); round++) {
		char *start = own_pages(4), *target = start + PAGE;
		struct sharer sharer;

		ASSERT_NE(MAP_FAILED, start);
		memset(target, '1', PAGE / 2);
		memset(target + PAGE / 2, '2', PAGE / 2);
		memset(target + PAGE, '3', 2 * PAGE);
		next_home(vcpus, round);
		ASSERT_EQ(0, sharer_start(&sharer, target));
		ASSERT_EQ(2 * PAGE, pwrite(fd, target - PAGE / 2, 2 * PAGE,
					   (off_t)target));
		/* '1' has moved up by half a page, and so has been read again. */
		EXPECT_EQ('1', target[PAGE]);
		ASSERT_EQ(0, sharer_end(&sharer));
		ASSERT_EQ(0, munmap(start, 4 * PAGE));
	}
	close(fd);
}

TEST_F(tlb, fork_takes_write_access)
{
	struct vcpus *vcpus = self->vcpus;

	/* A write to the old page would be a write to the child's. */
	for (int round = 0; round < rounds(ROUNDS); round++) {
		for (int writer = 0; writer < vcpus->count; writer++) {
			char *page = own_pages(1);
			struct sharer sharer;

			ASSERT_NE(MAP_FAILED, page);
			next_home(vcpus, round);
			use(vcpus, STORE, page, 1, OLD);
			ASSERT_EQ(0, sharer_start(&sharer, page));
			look_from(vcpus, nth_cpu(vcpus, writer), (struct look){
				  STORE, page, 1, NEW });
			go_to(vcpus, vcpus->home);
			if (sharer_ask(&sharer, ANSWER_VALUE) != OLD)
				vcpus->stale[nth_cpu(vcpus, writer)]++;
			must_find(vcpus, page, 1, NEW);
			ASSERT_EQ(0, sharer_end(&sharer));
			ASSERT_EQ(0, munmap(page, PAGE));
		}
	}
}

TEST_HARNESS_MAIN
