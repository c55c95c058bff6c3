/**
 * Writes the artefacts of a release into `artifacts/`, without network. One commit gives the same bytes each time: all times are
 * that of the commit (or `SOURCE_DATE_EPOCH`), and entries are sorted. `--only=npm,sbom,deb,oci,executable,licenses` chooses artefacts, `--out=DIRECTORY`
 * another directory. `npm run build` comes first.
 */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { parseArgs } from "node:util"
import { nodeLicense, root, version } from "./dist/application.ts"
import { debPackage } from "./dist/debPackage.ts"
import { executable } from "./dist/executable.ts"
import { npmPackage, sbom } from "./dist/npmPackage.ts"
import { ociImage } from "./dist/ociImage.ts"

const { values } = parseArgs({ options: { only: { type: "string" }, out: { type: "string", default: "artifacts" } } })
const directory = Path.resolve(root, values.out)

/** The time of all files, in seconds since 1970. */
const time = Number(
  process.env["SOURCE_DATE_EPOCH"] ??
    execFileSync("git", ["log", "-1", "--format=%ct"], { cwd: root, encoding: "utf8" })
)

/** The licences of what is in the executable, which cannot contain them as files. */
const licenses = () => {
  const node = nodeLicense()
  const parts = [Path.join(root, "dist/licenses.md"), ...(node === undefined ? [] : [node])]
  return {
    name: `effect-nsq-${version}-licenses.md`,
    data: parts.map((path) => Fs.readFileSync(path, "utf8")).join("\n## Node\n\n")
  }
}

/** Writes an artefact and returns its name. */
const write = (
  { data, name }: { readonly name: string; readonly data: string | Uint8Array },
  mode = 0o644
): string => {
  Fs.writeFileSync(Path.join(directory, name), data, { mode })
  return name
}

const artefacts: Readonly<Record<string, () => string | Promise<string>>> = {
  npm: () => npmPackage(directory),
  sbom: () => write(sbom(time)),
  deb: () => write(debPackage(time)),
  oci: () => write(ociImage(time)),
  executable: async () => write(await executable(), 0o755),
  licenses: () => write(licenses())
}

const chosen = values.only?.split(",") ?? Object.keys(artefacts)
for (const kind of chosen) {
  if (artefacts[kind] === undefined) {
    throw new Error(`no artefact ${kind}; there are ${Object.keys(artefacts).join(", ")}`)
  }
}
Fs.rmSync(directory, { recursive: true, force: true })
Fs.mkdirSync(directory, { recursive: true })
let sums = ""
for (const kind of chosen) {
  const name = await artefacts[kind]?.() ?? ""
  const sum = createHash("sha256").update(Fs.readFileSync(Path.join(directory, name))).digest("hex")
  console.log(Path.join(values.out, name))
  sums += `${sum}  ${name}\n`
}
write({ name: "SHA256SUMS", data: sums })
