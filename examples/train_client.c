/* Trains the network of examples/digits_mlp.gmx in C: the same steps as the script, so the same weights to
 * the bit.
 *
 *     gmxc examples/digits_mlp.gmx -o libdigits_mlp.so     # writes digits_mlp.h beside the library
 *     cc -I. examples/train_client.c -L. -ldigits_mlp -Wl,-rpath,'$ORIGIN' -o train_client
 *     ./train_client net.npz
 *
 * It prints the accuracy that the script prints, and saves the network. */
#include "digits_mlp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 1347, PIXELS = 64, BATCH = 32, EPOCHS = 30 };

static void check(int status) {
    if (status == 0)
        return;
    fprintf(stderr, "%s\n", gmx_last_error());
    exit(1);
}

/* The images and labels with these indices. */
static void gather(const float *images, const int64_t *labels, const int64_t *indices, int64_t count,
                   float *x, int64_t *y) {
    for (int64_t i = 0; i < count; i++) {
        memcpy(x + i * PIXELS, images + indices[i] * PIXELS, PIXELS * sizeof *x);
        y[i] = labels[indices[i]];
    }
}

int main(int argument_count, char **arguments) {
    static float images[IMAGES * PIXELS], x[BATCH * PIXELS];
    static int64_t labels[IMAGES], indices[IMAGES], y[BATCH];
    MLP_64_128_10 net;
    Adam_MLP_64_128_10 optimiser;
    float loss;
    double accuracy;
    check(training_images(images));
    check(training_labels(labels));
    check(MLP_64_128_10_init(&net, 0));
    check(Adam_MLP_64_128_10_init(&optimiser, 0));
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        check(order(epoch, indices));
        for (int64_t first = 0; first < IMAGES; first += BATCH) {
            int64_t count = IMAGES - first < BATCH ? IMAGES - first : BATCH;
            gather(images, labels, indices + first, count, x, y);
            check(train_step(count, &net, &optimiser, x, y, &net, &optimiser, &loss));
        }
    }
    check(test_accuracy(&net, &accuracy));
    printf("accuracy %.4f\n", accuracy);
    if (argument_count > 1)
        check(MLP_64_128_10_save(&net, arguments[1]));
    MLP_64_128_10_free(&net);
    Adam_MLP_64_128_10_free(&optimiser);
    return 0;
}
