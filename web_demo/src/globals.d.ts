/** Set by vite.config.ts, of the packages that are installed. */
declare const __LITERT_VERSION__: string;
declare const __ORT_VERSION__: string;
