/**
 * Preloaded before a program: limits the directory LIMITED_DISK to LIMITED_DISK_BYTES. Writes beyond that write what fits and
 * then fail with ENOSPC, as on a full file system; every file takes whole blocks. It patches `node:fs`, so that the program
 * itself is the real one.
 */
import Fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import Path from "node:path"

const directory = process.env.LIMITED_DISK ?? ""
const limit = Number(process.env.LIMITED_DISK_BYTES)
const blockBytes = 4096
const { fstatSync, ftruncate, open, readdirSync, statfs, statSync, write, writev } = Fs

/** Open files of the directory, by descriptor. */
const opened = new Set()

const blocks = (size) => Math.ceil(size / blockBytes) * blockBytes

const sizeOf = (name) => statSync(Path.join(directory, name), { throwIfNoEntry: false })?.size ?? 0

const used = () => readdirSync(directory, { recursive: true }).reduce((sum, name) => sum + blocks(sizeOf(name)), 0)

const full = (syscall) =>
  Object.assign(new Error(`ENOSPC: no space left on device, ${syscall}`), { errno: -28, code: "ENOSPC", syscall })

/** Returns how many of `length` bytes at `position` of a file still fit. */
const fitting = (fd, length, position) => {
  const { size } = fstatSync(fd)
  const end = blocks(size) + limit - used()
  return Math.max(0, Math.min(length, end - position))
}

Fs.open = (path, ...rest) => {
  const done = rest.pop()
  const inside = Path.resolve(String(path)).startsWith(directory + Path.sep)
  open(path, ...rest, (error, fd) => {
    if (error === null && inside) opened.add(fd)
    done(error, fd)
  })
}

Fs.write = (fd, bytes, offset, length, position, done) => {
  if (!opened.has(fd)) return write(fd, bytes, offset, length, position, done)
  const count = fitting(fd, length, position)
  if (count === 0) return void process.nextTick(done, full("write"))
  write(fd, bytes, offset, count, position, done)
}

Fs.writev = (fd, buffers, position, done) => {
  if (!opened.has(fd)) return writev(fd, buffers, position, done)
  const bytes = Buffer.concat(buffers)
  Fs.write(fd, bytes, 0, bytes.length, position, done)
}

Fs.ftruncate = (fd, size, done) => {
  const grows = opened.has(fd) && size > fstatSync(fd).size &&
    blocks(size) - blocks(fstatSync(fd).size) > limit - used()
  if (grows) return void process.nextTick(done, full("ftruncate"))
  ftruncate(fd, size, done)
}

Fs.statfs = (path, ...rest) => {
  const done = rest.pop()
  statfs(path, ...rest, (error, stats) => {
    if (error !== null || Path.resolve(String(path)) !== directory) return done(error, stats)
    const free = Math.max(0, Math.floor((limit - used()) / blockBytes))
    done(null, Object.assign(stats, { bsize: blockBytes, blocks: limit / blockBytes, bfree: free, bavail: free }))
  })
}

const { close } = Fs
Fs.close = (fd, done) => {
  opened.delete(fd)
  close(fd, done)
}

syncBuiltinESMExports()
