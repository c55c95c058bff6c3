/** Rewrites imports of sources and of the compiler's output, so that programs and the library load fewer modules. */

/** Turns a specifier such as `Effect as E` of a barrel file into an import of the module behind it. */
const direct = (barrel: string, specifier: string): string => {
  const [name = "", alias = name] = specifier.split(/\s+as\s+/)
  return /^[A-Z]/.test(name)
    ? `import * as ${alias} from "${barrel}/${name}"`
    : `import { ${specifier} } from "${barrel}/Function"`
}

/**
 * Turns imports from Effect's barrel files into imports of the modules behind them, in as many lines. The bundler cannot
 * tree-shake re-exported namespaces, and would keep twice the code (measured: 20 ms of startup time); a program that imports the
 * library would load a hundred modules more.
 */
export const withoutBarrels = (code: string): string =>
  code.replaceAll(
    /^import (type )?\{([^}]+)\} from "(effect(?:\/[a-z-]+)?)";?$/gm,
    (clause: string, type: string | undefined, names: string, barrel: string) => {
      const imports = type !== undefined ? [] : names
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== "" && !name.startsWith("type "))
        .map((name) => direct(barrel, name))
      return imports.join(";") + "\n".repeat(clause.split("\n").length - 1)
    }
  )

/** Turns the clause of an import, such as `* as Fs` or `{ a, type B, c as d }`, into the pattern of a declaration. */
const pattern = (clause: string): string => {
  const names = /^\{(.*)\}$/s.exec(clause)?.[1]
  if (names === undefined) return clause.replace(/^\* as /, "")
  const values = names.split(",").map((name) => name.trim()).filter((name) => name !== "" && !name.startsWith("type "))
  return `{ ${values.map((name) => name.replace(" as ", ": ")).join(", ")} }`
}

/**
 * Turns imports of Node's modules into calls. For an import, Node reads every export of the module, and some are getters
 * that load much: `node:http` loads `fetch` with HTTP/2 and TLS (measured: 14 MB and 30 ms of a start).
 */
export const withoutFacades = (code: string): string =>
  code.replaceAll(
    /^import (?!type )([^"]+?) from "(node:[a-z0-9_/]+)";?$/gm,
    (_, clause: string, name: string) =>
      `const ${pattern(clause)} = /* @__PURE__ */ globalThis.process.getBuiltinModule("${name}")`
  )
