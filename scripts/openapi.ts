/** Writes the OpenAPI documents of the daemons into `dist/openapi`, a part of the package. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { documents } from "./docs/openapi/apis.ts"

const directory = Path.resolve(import.meta.dirname, "../dist/openapi")

Fs.mkdirSync(directory, { recursive: true })
for (const [name, document] of documents()) {
  Fs.writeFileSync(Path.join(directory, `${name}.json`), `${JSON.stringify(document, null, 2)}\n`)
}
