/**
 * Snappy's compression and checksum: native code if it is installed and built for the platform, else JavaScript. Either is
 * loaded when the first client negotiates Snappy.
 */
import type * as Checksum from "@node-rs/crc32"
import { Effect } from "effect"
import type * as Blocks from "snappy"
import type { SnappyCodec } from "../../protocol/client/SnappyFraming.ts"

/** Names of the native packages. Bundlers leave them out, because they do not see the names in the import. */
const native = { blocks: "snappy", checksum: "@node-rs/crc32" } as const

const importBlocks = (name: typeof native.blocks): Promise<{ readonly default: typeof Blocks }> => import(name)
const importChecksum = (name: typeof native.checksum): Promise<{ readonly default: typeof Checksum }> => import(name)

const codecOf = (blocks: typeof Blocks, checksum: typeof Checksum): SnappyCodec => ({
  compress: (content) => blocks.compressSync(content),
  uncompress: (block) => {
    const content = blocks.uncompressSync(block, { asBuffer: true })
    return typeof content === "string" ? Buffer.from(content) : content
  },
  crc32c: (bytes) => checksum.crc32c(bytes)
})

/** Loads the native code. The result is `undefined` if it is not installed, or has no build for the platform. */
export const loadNative: Effect.Effect<SnappyCodec | undefined> = Effect.promise(() =>
  Promise.all([importBlocks(native.blocks), importChecksum(native.checksum)]).then(
    ([blocks, checksum]) => codecOf(blocks.default, checksum.default),
    () => undefined
  )
)

/** Loads the JavaScript. */
export const loadPure: Effect.Effect<SnappyCodec> = Effect.promise(async () => {
  const [{ compress, uncompress }, { crc32c }] = await Promise.all([
    import("../../protocol/client/SnappyBlock.ts"),
    import("../../protocol/client/Crc32c.ts")
  ])
  return { compress, uncompress, crc32c }
})

/** Kept, because the lookup of a package that is missing is repeated with each import. */
let loaded: SnappyCodec | undefined

/** Loads the native code, else the JavaScript. */
export const load: Effect.Effect<SnappyCodec> = Effect.gen(function*() {
  return loaded ??= (yield* loadNative) ?? (yield* loadPure)
})
