/**
 * A small file beside the history that has a list as JSON and is replaced as a whole. What fails is logged, and the list in memory
 * remains.
 */
import { Effect, Schema } from "effect"
import { mkdir, readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"

const reasonOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)

const isMissing = (cause: unknown): boolean =>
  typeof cause === "object" && cause !== null && "code" in cause && cause.code === "ENOENT"

/** The file of a list. */
export interface StateFile<A> {
  /** Returns the list of the nsqadmin before this one; empty if the file is missing or damaged. */
  readonly read: Effect.Effect<ReadonlyArray<A>>
  /** Replaces the list. A kill leaves the former one. */
  readonly write: (items: ReadonlyArray<A>) => Effect.Effect<void>
}

/** Keeps nothing: without a directory the list is lost when nsqadmin stops. */
const inMemory: Pick<StateFile<never>, "read"> & Pick<StateFile<unknown>, "write"> = {
  read: Effect.succeed([]),
  write: () => Effect.void
}

/**
 * Returns the file `name` in `directory`, which is created with the first list; an empty directory stands for no file. `lost` says in
 * the log what happens without a readable file. `write` must not run concurrently.
 */
export const make = <A, I>(
  directory: string,
  name: string,
  item: Schema.Codec<A, I>,
  lost: string
): StateFile<A> => {
  if (directory === "") return inMemory
  const path = join(directory, name)
  const list = Schema.fromJsonString(Schema.Array(item))
  const encode = Schema.encodeEffect(list)
  return {
    read: Effect.tryPromise(() => readFile(path, "utf8")).pipe(
      Effect.flatMap(Schema.decodeEffect(list)),
      Effect.catch((error) =>
        error._tag === "UnknownError" && isMissing(error.cause)
          ? Effect.succeed([])
          : Effect.as(Effect.logWarning(`cannot read ${path}: ${lost}`), [])
      )
    ),
    write: (items) =>
      Effect.orDie(encode(items)).pipe(
        Effect.flatMap((text) =>
          Effect.tryPromise({
            try: async () => {
              await mkdir(directory, { recursive: true })
              await writeFile(`${path}.new`, text)
              await rename(`${path}.new`, path)
            },
            catch: reasonOf
          })
        ),
        Effect.catch((reason) => Effect.logWarning(`cannot write ${path}: ${reason}`))
      )
  }
}
