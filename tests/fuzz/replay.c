/* replay: a fuzz target without libFuzzer: runs it over the corpus that is kept (folders or files as arguments) and over octets from a
 * small generator, so that a target which no longer builds, or an input that was a fault once, is noticed by every test run. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_OCTETS = 1 << 20, RANDOM_INPUTS = 500, RANDOM_OCTETS = 2000, NAME_OCTETS = 4096 };

static unsigned inputs;

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(1);
    }
    uint8_t *p = malloc(MAX_OCTETS);
    if (!p) exit(1);
    size_t n = fread(p, 1, MAX_OCTETS, f);
    uint8_t *exact = malloc(n ? n : 1); /* so that a read behind the end is seen */
    if (!exact) exit(1);
    for (size_t i = 0; i < n; i++)
        exact[i] = p[i];
    (void)LLVMFuzzerTestOneInput(exact, n);
    inputs++;
    free(exact);
    free(p);
    fclose(f);
}

static void run_folder(const char *path)
{
    DIR *d = opendir(path);
    if (!d) {
        perror(path);
        exit(1);
    }
    for (struct dirent *e; (e = readdir(d));) {
        char name[NAME_OCTETS];
        struct stat st;
        if (e->d_name[0] == '.') continue;
        if (snprintf(name, sizeof name, "%s/%s", path, e->d_name) >= (int)sizeof name) exit(1);
        if (stat(name, &st) == 0 && S_ISREG(st.st_mode)) run_file(name);
    }
    closedir(d);
}

static void run_random(void)
{
    uint64_t x = 0x9e3779b97f4a7c15u;
    for (unsigned i = 0; i < RANDOM_INPUTS; i++) {
        size_t n = (size_t)(x >> 33) % RANDOM_OCTETS;
        uint8_t *p = malloc(n ? n : 1);
        if (!p) exit(1);
        for (size_t k = 0; k < n; k++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            p[k] = i % 2 ? (uint8_t)(x >> 56) : (uint8_t)(32 + (x >> 56) % 95);
        }
        x = x * 6364136223846793005u + 1442695040888963407u;
        (void)LLVMFuzzerTestOneInput(p, n);
        inputs++;
        free(p);
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run_folder(argv[i]);
    run_random();
    printf("%u inputs\n", inputs);
    return inputs >= RANDOM_INPUTS ? 0 : 1;
}
