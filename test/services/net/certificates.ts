/**
 * Creates certificates for one test: authorities, and certificates of servers and clients that they sign.
 */
import { Effect, type Scope } from "effect"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { generate } from "selfsigned"

export interface Certificate {
  readonly cert: string
  readonly key: string
}

const common = { keyType: "ec", algorithm: "sha256" } as const

/** Creates a certificate authority; an intermediate one if another authority signs it. */
export const authority = (name: string, ca?: Certificate): Effect.Effect<Certificate> =>
  Effect.map(
    Effect.promise(() =>
      generate([{ name: "commonName", value: name }], {
        ...common,
        ...(ca === undefined ? {} : { ca }),
        extensions: [
          { name: "basicConstraints", cA: true, critical: true },
          { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true }
        ]
      })
    ),
    ({ cert, private: key }) => ({ cert, key })
  )

/** Creates a certificate for `localhost` and 127.0.0.1, or for a client of that name; self-signed without an authority. */
export const issue = (name: string, ca?: Certificate, notAfterDate?: Date): Effect.Effect<Certificate> =>
  Effect.map(
    Effect.promise(() =>
      generate([{ name: "commonName", value: name }], {
        ...common,
        ...(ca === undefined ? {} : { ca }),
        ...(notAfterDate === undefined ? {} : { notAfterDate, notBeforeDate: new Date(notAfterDate.getTime() - 1000) }),
        extensions: [
          { name: "basicConstraints", cA: false },
          { name: "keyUsage", digitalSignature: true, keyEncipherment: true },
          { name: "extKeyUsage", serverAuth: true, clientAuth: true },
          { name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }, { type: 7, ip: "127.0.0.1" }] }
        ]
      })
    ),
    ({ cert, private: key }) => ({ cert, key })
  )

export interface Files {
  /** The authority that signed the server's certificate. */
  readonly ca: Certificate
  /** The options that name the files. */
  readonly options: { readonly tlsCert: string; readonly tlsKey: string }
  readonly caFile: string
  readonly directory: string
  /** Replaces the server's certificate and key. */
  readonly replace: (certificate: Certificate) => Effect.Effect<void>
}

/** Writes a certificate for the server to files, which exist until the test ends. */
export const files: Effect.Effect<Files, never, Scope.Scope> = Effect.gen(function*() {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "tls-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true }))
  )
  const at = (name: string) => join(directory, name)
  const write = (name: string, text: string) => Effect.promise(() => writeFile(at(name), text))
  const replace = ({ cert, key }: Certificate) => Effect.andThen(write("server.pem", cert), write("server.key", key))
  const ca = yield* authority("authority")
  yield* write("ca.pem", ca.cert)
  yield* replace(yield* issue("localhost", ca))
  return {
    ca,
    options: { tlsCert: at("server.pem"), tlsKey: at("server.key") },
    caFile: at("ca.pem"),
    directory,
    replace
  }
})
