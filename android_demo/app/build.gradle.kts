import groovy.json.JsonSlurper
import java.security.MessageDigest

plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
    alias(libs.plugins.kotlin.serialization)
}

val artifactsFolder = rootProject.layout.projectDirectory.dir(providers.gradleProperty("imageqx.artifacts"))
val chosenPrecision = providers.gradleProperty("imageqx.precision")
val modelIsForGpu = providers.fileContents(artifactsFolder.map { it.file("manifest.json") }).asText.zip(chosenPrecision) { text, name ->
    findTflite(JsonSlurper().parseText(text), name)?.let(::isProvedOnGpu) ?: false
}.orElse(false)

android {
    namespace = "org.imageqx.demo"
    compileSdk = libs.versions.compile.sdk.get().toInt()

    defaultConfig {
        applicationId = "org.imageqx.demo"
        minSdk = libs.versions.min.sdk.get().toInt()
        targetSdk = libs.versions.target.sdk.get().toInt()
        versionCode = 1
        versionName = "1.0"
    }

    buildTypes {
        release {
            isMinifyEnabled = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt")) // what else must stay, :runtime says
        }
    }

    packaging {
        // The library for GPUs goes with a model that the app may try there.
        if (!modelIsForGpu.get()) jniLibs.excludes += "**/libtensorflowlite_gpu_jni.so"
    }

    androidResources {
        noCompress += "tflite" // a stored model is mapped as it lies in the APK
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
    }

    testOptions {
        unitTests {
            isIncludeAndroidResources = true
            all { it.useJUnitPlatform() }
        }
    }
}

kotlin {
    compilerOptions {
        jvmTarget.set(org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_11)
        allWarningsAsErrors.set(true)
        progressiveMode.set(true)
    }
}

dependencies {
    implementation(project(":core"))
    implementation(project(":runtime"))
    implementation(libs.serialization.json)
    when (val runtime = providers.gradleProperty("imageqx.tflite").get()) {
        "tensorflow-lite" -> {
            implementation(libs.tensorflow.lite)
            implementation(libs.tensorflow.lite.gpu)
            implementation(libs.tensorflow.lite.gpu.api)
        }
        "litert" -> {
            implementation(libs.litert)
            implementation(libs.litert.gpu)
            implementation(libs.litert.gpu.api)
        }
        else -> error("imageqx.tflite: expected tensorflow-lite or litert, got $runtime")
    }
    testImplementation(libs.junit4)
    testImplementation(libs.junit.jupiter)
    testRuntimeOnly(libs.junit.vintage)
    testImplementation(libs.robolectric)
}

/** Finds a manifest's entry of the .tflite file of a precision. */
fun findTflite(manifest: Any, precision: String): Map<*, *>? = ((manifest as Map<*, *>)["artifacts"] as List<*>)
    .filterIsInstance<Map<*, *>>()
    .firstOrNull { it["format"] == "tflite" && it["precision"] == precision }

/** Tells whether a file's proofs let the app try it on a GPU, as org.imageqx.core.model.Artifact.isProved. */
fun isProvedOnGpu(entry: Map<*, *>): Boolean {
    val proofs = (entry["proofs"] as List<*>).filterIsInstance<Map<*, *>>().filter { it["target"] == "gpu" }
    return proofs.any { it["verdict"] == "right" && it["whole"] == true } && proofs.none { it["verdict"] == "wrong" }
}

/** Copies one model and the manifest into the app's assets, after a look at the model's digest. */
abstract class TakeModel : DefaultTask() {
    @get:Internal
    abstract val artifacts: DirectoryProperty

    @get:InputFile
    @get:PathSensitive(PathSensitivity.NONE)
    abstract val manifest: RegularFileProperty

    @get:Input
    abstract val precision: Property<String>

    @get:InputFile
    @get:PathSensitive(PathSensitivity.NONE)
    abstract val model: RegularFileProperty

    @get:OutputDirectory
    abstract val assets: DirectoryProperty

    @TaskAction
    fun take() {
        val entry = findTflite(JsonSlurper().parse(manifest.get().asFile), precision.get())
            ?: throw GradleException("no tflite ${precision.get()} in ${manifest.get()}; imageqx export writes one")
        val file = model.get().asFile
        if (file.name != entry["path"]) throw GradleException("expected ${entry["path"]}, got $file")
        check(file, entry["sha256"])
        val folder = assets.get().dir("imageqx").asFile
        folder.deleteRecursively()
        folder.mkdirs()
        file.copyTo(folder.resolve(file.name))
        manifest.get().asFile.copyTo(folder.resolve("manifest.json"))
        if (isProvedOnGpu(entry)) takeSelfTest(folder)
    }

    /** Takes what the app asks of a GPU before it trusts it. */
    private fun takeSelfTest(folder: File) {
        val digests = (JsonSlurper().parse(manifest.get().asFile) as Map<*, *>)["golden"] as Map<*, *>
        for ((name, digest) in digests) {
            val file = manifest.get().asFile.resolveSibling("golden/$name")
            check(file, digest)
            file.copyTo(folder.resolve("golden/$name"))
        }
    }

    private fun check(file: File, wanted: Any?) {
        val digest = MessageDigest.getInstance("SHA-256").digest(file.readBytes()).joinToString("") { "%02x".format(it) }
        if (digest != wanted) throw GradleException("$file is not the exported one: expected SHA-256 $wanted, got $digest")
    }
}

val takeModel = tasks.register<TakeModel>("takeModel") {
    group = "build"
    description = "Takes the model from an export's or a release's folder, and checks its digest."
    artifacts.set(artifactsFolder)
    manifest.set(artifactsFolder.map { it.file("manifest.json") })
    precision.set(chosenPrecision)
    model.set(artifactsFolder.zip(chosenPrecision) { folder, name -> folder.file("${folder.asFile.name}_$name.tflite") })
}

androidComponents {
    onVariants { variant ->
        variant.sources.assets?.addGeneratedSourceDirectory(takeModel, TakeModel::assets)
    }
}
