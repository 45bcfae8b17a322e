"""Build and test android_demo without Gradle and without an Android SDK: what CI runs.

From the ground up: ``jdk.py`` finds Java, ``maven.py`` fetches pinned files, ``steps.py`` runs what has changed,
``kotlin.py`` compiles, ``junit.py`` tests; ``modules.py`` says what the folder's modules are; ``checks/`` has one file
a proof; ``__main__.py`` is the command line: ``python -m android_demo.tools --help``.
"""
