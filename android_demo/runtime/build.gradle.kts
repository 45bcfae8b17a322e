plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "org.imageqx.runtime"
    compileSdk = libs.versions.compile.sdk.get().toInt()

    defaultConfig {
        minSdk = libs.versions.min.sdk.get().toInt()
        consumerProguardFiles("consumer-rules.pro")
    }

    sourceSets.named("main") { kotlin.srcDir("src/android/kotlin") }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
    }
}

kotlin {
    explicitApi()
    compilerOptions {
        jvmTarget.set(org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_11)
        allWarningsAsErrors.set(true)
        progressiveMode.set(true)
    }
}

dependencies {
    api(project(":core"))
    // An app adds the runtime that it wants.
    compileOnly(libs.tensorflow.lite)
    compileOnly(libs.tensorflow.lite.gpu)
    compileOnly(libs.tensorflow.lite.gpu.api)
    compileOnly(libs.onnxruntime.android)
}
