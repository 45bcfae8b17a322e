package org.imageqx.demo.bench

import android.content.ContentProvider
import android.content.ContentValues
import android.content.Context
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import java.io.File
import java.io.FileNotFoundException

/** Lets the app that a person shares a measurement with read it: one file, and no other of this app's. */
internal class RunProvider : ContentProvider() {
    override fun onCreate(): Boolean = true

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor {
        if (mode != "r") throw SecurityException("a measurement can only be read, got mode $mode")
        return ParcelFileDescriptor.open(find(uri), ParcelFileDescriptor.MODE_READ_ONLY)
    }

    override fun getType(uri: Uri): String = TYPE

    override fun query(
        uri: Uri,
        projection: Array<String>?,
        selection: String?,
        selectionArgs: Array<String>?,
        sortOrder: String?,
    ): Cursor {
        val file = find(uri)
        val columns = projection ?: arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE)
        return MatrixCursor(columns).apply {
            addRow(
                columns.map {
                    when (it) {
                        OpenableColumns.DISPLAY_NAME -> file.name
                        OpenableColumns.SIZE -> file.length()
                        else -> null
                    }
                },
            )
        }
    }

    override fun insert(uri: Uri, values: ContentValues?): Uri? = throw UnsupportedOperationException(READ_ONLY)

    override fun update(uri: Uri, values: ContentValues?, selection: String?, selectionArgs: Array<String>?): Int =
        throw UnsupportedOperationException(READ_ONLY)

    override fun delete(uri: Uri, selection: String?, selectionArgs: Array<String>?): Int =
        throw UnsupportedOperationException(READ_ONLY)

    private fun find(uri: Uri): File {
        val file = fileOf(context ?: throw FileNotFoundException("no context yet"))
        if (uri.pathSegments != listOf(file.name) || !file.isFile) throw FileNotFoundException("no such file: $uri")
        return file
    }

    companion object {
        /** What is shared; a mail program shows it as a file, not as a text. */
        const val TYPE = "application/json"
        private const val READ_ONLY = "measurements can only be read"

        /** The file of the newest run. */
        fun fileOf(context: Context): File = File(File(context.cacheDir, "runs").apply { mkdirs() }, "imageqx-bench.json")

        /** The address of the newest run, for a person to share. */
        fun uriOf(context: Context): Uri =
            Uri.Builder().scheme("content").authority("${context.packageName}.runs").path(fileOf(context).name).build()
    }
}
