/**
 * The directories of a disk in memory. Each creation, rename and removal is one change that survives a power loss as a whole
 * or not at all, unless its directory was synced since.
 */
import { Result } from "effect"
import type { Fate } from "./Fate.ts"
import { PagedFile } from "./PagedFile.ts"

class Directory {
  readonly nodes = new Map<string, Node>()
  /** The nodes that survive a power loss. */
  readonly durable = new Map<string, Node>()
}

type Node = PagedFile | Directory

/** Sets or removes one name. */
interface Edit {
  readonly directory: Directory
  readonly name: string
  readonly node: Node | undefined
}

/** Edits that survive together. */
type Change = ReadonlyArray<Edit>

const partsOf = (path: string): Array<string> =>
  path.split("/").filter((part, index) => part !== "." && (part !== "" || index === 0))

const set = (names: Map<string, Node>, { name, node }: Edit): void => {
  if (node === undefined) names.delete(name)
  else names.set(name, node)
}

/** An operating system's error code, such as `ENOENT`. */
type ErrorCode = string

/** Paths use `/`. A directory that was never made or renamed exists without being made. */
export class DirectoryTree {
  private readonly root = new Directory()
  /** Directories made or renamed by operations, which do not exist without that. */
  private readonly made = new Set<string>()
  /** Changes that are not durable, the oldest first. */
  private changes: Array<Change> = []

  /** The file at a path; fails with `ENOENT` or `EISDIR`. */
  file(path: string): Result.Result<PagedFile, ErrorCode> {
    const node = this.find(partsOf(path))
    return node === undefined
      ? Result.fail("ENOENT")
      : node instanceof Directory
      ? Result.fail("EISDIR")
      : Result.succeed(node)
  }

  /** The file at a path, created if it does not exist. */
  create(path: string): Result.Result<PagedFile, ErrorCode> {
    const existing = this.file(path)
    if (Result.isSuccess(existing) || existing.failure !== "ENOENT") return existing
    const file = new PagedFile()
    return Result.map(this.place(path), (place) => {
      this.apply([{ ...place, node: file }])
      return file
    })
  }

  /** Puts a file in place of what is at the path, durable at once. */
  put(path: string, file: PagedFile): void {
    const { directory, name } = Result.getOrThrowWith(
      this.place(path),
      (code) => new Error(`cannot put ${path}: ${code}`)
    )
    const change = [{ directory, name, node: file }]
    this.apply(change)
    this.settle((each) => each === change)
  }

  rename(from: string, to: string): Result.Result<void, ErrorCode> {
    const node = this.find(partsOf(from))
    if (node === undefined) return Result.fail("ENOENT")
    return Result.flatMap(this.place(from), (source) =>
      Result.flatMap(this.place(to), (target) => {
        const replaced = target.directory.nodes.get(target.name)
        if (replaced === node) return Result.succeed(undefined)
        if (replaced instanceof Directory) {
          if (node instanceof PagedFile) return Result.fail("EISDIR")
          if (replaced.nodes.size > 0) return Result.fail("ENOTEMPTY")
        } else if (replaced !== undefined && node instanceof Directory) return Result.fail("ENOTDIR")
        if (node instanceof Directory) {
          this.made.add(partsOf(from).join("/"))
          this.made.add(partsOf(to).join("/"))
        }
        this.apply([{ ...source, node: undefined }, { ...target, node }])
        return Result.succeed(undefined)
      }))
  }

  /** Removes a file; succeeds if it does not exist. */
  remove(path: string): Result.Result<void, ErrorCode> {
    const node = this.find(partsOf(path))
    if (node instanceof Directory) return Result.fail("EISDIR")
    return node === undefined ? Result.succeed(undefined) : this.drop(path)
  }

  /** Makes a directory; succeeds if it exists. */
  makeDirectory(path: string): Result.Result<void, ErrorCode> {
    const parts = partsOf(path)
    if (this.find(parts) !== undefined) return Result.succeed(undefined)
    return Result.map(this.place(path), (place) => {
      this.made.add(parts.join("/"))
      this.apply([{ ...place, node: new Directory() }])
    })
  }

  /** Removes an empty directory; succeeds if it does not exist. */
  removeDirectory(path: string): Result.Result<void, ErrorCode> {
    const node = this.find(partsOf(path))
    if (node === undefined) return Result.succeed(undefined)
    if (node instanceof PagedFile) return Result.fail("ENOTDIR")
    if (node.nodes.size > 0) return Result.fail("ENOTEMPTY")
    this.made.add(partsOf(path).join("/"))
    return this.drop(path)
  }

  /** The names in a directory. */
  list(path: string): Result.Result<ReadonlyArray<string>, ErrorCode> {
    const parts = partsOf(path)
    const node = this.find(parts)
    if (node instanceof PagedFile) return Result.fail("ENOTDIR")
    if (node !== undefined) return Result.succeed([...node.nodes.keys()])
    return this.isMissing(parts) ? Result.fail("ENOENT") : Result.succeed([])
  }

  /** All files by path. */
  *files(): Generator<readonly [path: string, file: PagedFile]> {
    yield* filesBelow(this.root, "")
  }

  /** Makes the entries of a directory durable. */
  sync(path: string): Result.Result<void, ErrorCode> {
    const parts = partsOf(path)
    const node = this.find(parts)
    if (node instanceof PagedFile) return Result.fail("ENOTDIR")
    if (node === undefined) return this.isMissing(parts) ? Result.fail("ENOENT") : Result.succeed(undefined)
    this.settle((change) => change.some(({ directory }) => directory === node))
    return Result.succeed(undefined)
  }

  /** Reverts changes that the fate does not keep, and un-synced content. The result is durable. */
  losePower(fate: Fate): void {
    this.settle(() => fate.keepsEntry())
    this.changes = []
    revert(this.root, fate)
  }

  private find(parts: ReadonlyArray<string>): Node | undefined {
    let node: Node | undefined = this.root
    for (const part of parts) {
      if (!(node instanceof Directory)) return undefined
      node = node.nodes.get(part)
    }
    return node
  }

  /** Whether the directory or one above it was made and does not exist. */
  private isMissing(parts: ReadonlyArray<string>): boolean {
    return parts.some((_, index) => {
      const above = parts.slice(0, index + 1)
      return this.made.has(above.join("/")) && this.find(above) === undefined
    })
  }

  /** The directory and the name of a path. */
  private place(path: string): Result.Result<{ readonly directory: Directory; readonly name: string }, ErrorCode> {
    const above = partsOf(path)
    const name = above.pop() ?? ""
    let directory = this.root
    for (const [index, part] of above.entries()) {
      let next = directory.nodes.get(part)
      if (next instanceof PagedFile) return Result.fail("ENOTDIR")
      if (next === undefined) {
        if (this.made.has(above.slice(0, index + 1).join("/"))) return Result.fail("ENOENT")
        next = new Directory()
        directory.nodes.set(part, next)
        directory.durable.set(part, next)
      }
      directory = next
    }
    return Result.succeed({ directory, name })
  }

  private drop(path: string): Result.Result<void, ErrorCode> {
    return Result.map(this.place(path), (place) => this.apply([{ ...place, node: undefined }]))
  }

  private apply(change: Change): void {
    for (const edit of change) set(edit.directory.nodes, edit)
    this.changes.push(change)
  }

  /**
   * Makes the chosen changes durable, and with each the earlier ones of the same names: a name never skips a state that a
   * later one came from.
   */
  private settle(isChosen: (change: Change) => boolean): void {
    const names = new Map<Directory, Set<string>>()
    /** Directories that a rename moved a node into: without them the node would be in neither place. */
    const needed = new Set<Node>()
    const chosen: Array<Change> = []
    const rest: Array<Change> = []
    for (const change of this.changes.toReversed()) {
      const isNeeded = change.some(({ directory, name, node }) =>
        names.get(directory)?.has(name) === true || (node !== undefined && needed.has(node))
      )
      if (!isChosen(change) && !isNeeded) {
        rest.push(change)
        continue
      }
      chosen.push(change)
      for (const { directory, name } of change) {
        names.set(directory, (names.get(directory) ?? new Set()).add(name))
        if (change.some((other) => other.directory !== directory)) needed.add(directory)
      }
    }
    for (const change of chosen.toReversed()) for (const edit of change) set(edit.directory.durable, edit)
    this.changes = rest.toReversed()
  }
}

function* filesBelow(directory: Directory, prefix: string): Generator<readonly [path: string, file: PagedFile]> {
  for (const [name, node] of directory.nodes) {
    if (node instanceof Directory) yield* filesBelow(node, `${prefix}${name}/`)
    else yield [prefix + name, node]
  }
}

const revert = (directory: Directory, fate: Fate): void => {
  directory.nodes.clear()
  for (const [name, node] of directory.durable) {
    directory.nodes.set(name, node)
    if (node instanceof Directory) revert(node, fate)
    else node.losePower(fate)
  }
}
