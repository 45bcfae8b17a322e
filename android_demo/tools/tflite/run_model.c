/* Runs a .tflite file on raw pixels with TensorFlow Lite's C API, on one thread: MODEL PIXELS ANSWERS SIGNATURE INPUT
 * OUTPUT... For each photo in PIXELS, ANSWERS gets the outputs' numbers in the order of their names. Exits 1 with a
 * sentence where something fails.
 */
#include <stdio.h>
#include <stdlib.h>

/* Of tensorflow/lite/c/c_api.h; the AAR has that header without all that it includes. */
typedef struct TfLiteModel TfLiteModel;
typedef struct TfLiteInterpreter TfLiteInterpreter;
typedef struct TfLiteInterpreterOptions TfLiteInterpreterOptions;
typedef struct TfLiteSignatureRunner TfLiteSignatureRunner;
typedef struct TfLiteTensor TfLiteTensor;
TfLiteModel *TfLiteModelCreateFromFile(const char *path);
TfLiteInterpreterOptions *TfLiteInterpreterOptionsCreate(void);
void TfLiteInterpreterOptionsSetNumThreads(TfLiteInterpreterOptions *options, int threads);
TfLiteInterpreter *TfLiteInterpreterCreate(const TfLiteModel *model, const TfLiteInterpreterOptions *options);
TfLiteSignatureRunner *TfLiteInterpreterGetSignatureRunner(const TfLiteInterpreter *interpreter, const char *key);
int TfLiteSignatureRunnerAllocateTensors(TfLiteSignatureRunner *runner);
TfLiteTensor *TfLiteSignatureRunnerGetInputTensor(TfLiteSignatureRunner *runner, const char *name);
const TfLiteTensor *TfLiteSignatureRunnerGetOutputTensor(const TfLiteSignatureRunner *runner, const char *name);
int TfLiteSignatureRunnerInvoke(TfLiteSignatureRunner *runner);
size_t TfLiteTensorByteSize(const TfLiteTensor *tensor);
int TfLiteTensorCopyFromBuffer(TfLiteTensor *tensor, const void *data, size_t size);
void *TfLiteTensorData(const TfLiteTensor *tensor);
enum { kTfLiteOk = 0 };

/* On arm64, bionic keeps its stack guard 40 bytes behind the thread pointer, where glibc puts the program's own thread
 * variables: these, which never change.
 */
static __thread volatile char stack_guard[64];

static void require(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

int main(int count, char **words) {
    require(count > 6 && stack_guard[0] == 0, "reading the arguments");
    TfLiteModel *model = TfLiteModelCreateFromFile(words[1]);
    require(model != NULL, "opening the model");
    TfLiteInterpreterOptions *options = TfLiteInterpreterOptionsCreate();
    TfLiteInterpreterOptionsSetNumThreads(options, 1);
    TfLiteInterpreter *interpreter = TfLiteInterpreterCreate(model, options);
    require(interpreter != NULL, "making the interpreter");
    TfLiteSignatureRunner *runner = TfLiteInterpreterGetSignatureRunner(interpreter, words[4]);
    require(runner != NULL, "finding the signature");
    require(TfLiteSignatureRunnerAllocateTensors(runner) == kTfLiteOk, "allocating");
    TfLiteTensor *input = TfLiteSignatureRunnerGetInputTensor(runner, words[5]);
    require(input != NULL, "finding the input");
    size_t size = TfLiteTensorByteSize(input);
    FILE *pixels = fopen(words[2], "rb"), *answers = fopen(words[3], "wb");
    require(pixels != NULL && answers != NULL, "opening the files");
    void *photo = malloc(size);
    while (fread(photo, 1, size, pixels) == size) {
        require(TfLiteTensorCopyFromBuffer(input, photo, size) == kTfLiteOk, "writing the input");
        require(TfLiteSignatureRunnerInvoke(runner) == kTfLiteOk, "running");
        for (int i = 6; i < count; i++) {
            const TfLiteTensor *output = TfLiteSignatureRunnerGetOutputTensor(runner, words[i]);
            require(output != NULL, words[i]);
            size_t bytes = TfLiteTensorByteSize(output);
            require(fwrite(TfLiteTensorData(output), 1, bytes, answers) == bytes, "writing the answers");
        }
    }
    require(fclose(answers) == 0, "closing the answers");
    return 0;
}
