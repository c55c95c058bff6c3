/** The errors and options in the signatures of the package: a program that handles or passes them has to be able to name them. */
import { assert, describe, it } from "@effect/vitest"
import * as Path from "node:path"
import { SyntaxKind } from "typescript/unstable/ast"
import {
  API,
  type Checker,
  type Project,
  SignatureKind,
  type Symbol,
  SymbolFlags,
  type Type,
  TypeFlags
} from "typescript/unstable/sync"
import { entryPoints } from "./entryPoints.ts"

const root = Path.resolve(import.meta.dirname, "../..")
const source = Path.join(root, "src/")

const namesToExport = /(?:Error|ErrorReason|Options)$/

/** Types of Effect whose second parameter is the type of the failures. */
const failing = new Set(["Effect", "Exit", "Failure", "Layer", "Stream", "Success"])

/** Whether this package declares it. Paths may be in lower case, on file systems without case. */
const isOwn = ({ declarations }: Symbol): boolean =>
  declarations.length > 0 && declarations.every(({ path }) => path.toLowerCase().startsWith(source.toLowerCase()))

/** The items that the entry points export, through namespaces, by their symbols. */
const exportedItems = ({ checker, program }: Project): ReadonlyMap<number, Symbol> => {
  const found = new Map<number, Symbol>()
  const modules = new Set<number>()
  const add = (module: Symbol): void => {
    if (modules.has(module.id)) return
    modules.add(module.id)
    for (const symbol of checker.getExportsOfModule(module)) {
      const item = (symbol.flags & SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol)
      if ((item.flags & SymbolFlags.ValueModule) !== 0) {
        add(item)
        continue
      }
      found.set(item.id, item)
      // An alias of a type exports the type under another name.
      const type = (item.flags & SymbolFlags.TypeAlias) === 0 ? undefined : checker.getDeclaredTypeOfSymbol(item)
      const aliased = type?.getSymbol()
      if (aliased !== undefined) found.set(aliased.id, aliased)
    }
  }
  for (const file of entryPoints) {
    const parsed = program.getSourceFile(Path.join(root, file))
    const module = parsed === undefined ? undefined : checker.getSymbolAtLocation(parsed)
    assert.isDefined(module, file)
    if (module !== undefined) add(module)
  }
  return found
}

/** Walks the types of exported items and collects the items of this package that they mention. */
class Walk {
  readonly mentioned = new Map<number, { readonly symbol: Symbol; readonly by: string }>()
  /** Items that fail with a string. */
  readonly untagged = new Set<string>()
  private readonly seen = new Set<number>()
  private readonly project: Project
  private readonly checker: Checker

  constructor(project: Project) {
    this.project = project
    this.checker = project.checker
  }

  private isPrivate(symbol: Symbol): boolean {
    const node = symbol.valueDeclaration?.resolve(this.project)
    return node !== undefined && "modifiers" in node && Array.isArray(node.modifiers) &&
      node.modifiers.some(({ kind }) => kind === SyntaxKind.PrivateKeyword)
  }

  item(symbol: Symbol): void {
    if ((symbol.flags & SymbolFlags.Value) !== 0) this.type(this.checker.getTypeOfSymbol(symbol), symbol.name)
    if ((symbol.flags & SymbolFlags.Type) !== 0) this.type(this.checker.getDeclaredTypeOfSymbol(symbol), symbol.name)
  }

  private mention(symbol: Symbol | undefined, by: string): void {
    if (symbol === undefined || (symbol.flags & SymbolFlags.TypeParameter) !== 0 || !isOwn(symbol)) return
    if (!this.mentioned.has(symbol.id)) this.mentioned.set(symbol.id, { symbol, by })
  }

  private type(type: Type | undefined, by: string): void {
    if (type === undefined || this.seen.has(type.id)) return
    this.seen.add(type.id)
    const symbol = type.getSymbol()
    this.mention(type.getAliasSymbol(), by)
    this.mention(symbol, by)
    for (const argument of type.getAliasTypeArguments()) this.type(argument, by)
    if (type.isUnionType() || type.isIntersectionType()) {
      for (const member of type.getTypes() ?? []) this.type(member, by)
      return
    }
    if (type.isTypeReference()) {
      const parameters = this.checker.getTypeArguments(type)
      const error = symbol !== undefined && failing.has(symbol.name) ? parameters[1] : undefined
      const failures = error?.isUnionType() === true ? error.getTypes() ?? [] : [error]
      if (failures.some((failure) => failure !== undefined && (failure.flags & TypeFlags.StringLike) !== 0)) {
        this.untagged.add(by)
      }
      for (const parameter of parameters) this.type(parameter, by)
    }
    if (!type.isObjectType() || symbol === undefined || !isOwn(symbol)) return
    for (const property of this.checker.getPropertiesOfType(type)) {
      if (isOwn(property) && !this.isPrivate(property)) {
        this.type(this.checker.getTypeOfSymbol(property), `${by}.${property.name}`)
      }
    }
    for (const kind of [SignatureKind.Call, SignatureKind.Construct]) {
      for (const signature of this.checker.getSignaturesOfType(type, kind)) {
        for (const parameter of signature.getParameters()) this.type(this.checker.getTypeOfSymbol(parameter), by)
        this.type(this.checker.getReturnTypeOfSignature(signature), by)
      }
    }
  }
}

const walked = (): { readonly exported: ReadonlyMap<number, Symbol>; readonly walk: Walk } => {
  const api = new API({ cwd: root })
  try {
    const [project] = api.updateSnapshot({ openProject: Path.join(root, "tsconfig.build.json") }).getProjects()
    assert(project !== undefined)
    const exported = exportedItems(project)
    const walk = new Walk(project)
    for (const symbol of exported.values()) walk.item(symbol)
    return { exported, walk }
  } finally {
    api.close()
  }
}

describe("the signatures of the package", () => {
  let found: ReturnType<typeof walked> | undefined
  const signatures = () => found ??= walked()

  it("every error and option type in the signature of an exported item is exported too", () => {
    const { exported, walk } = signatures()
    const missing = Array.from(walk.mentioned.values())
      .filter(({ symbol }) => namesToExport.test(symbol.name) && !exported.has(symbol.id))
      .map(({ by, symbol }) => `${symbol.name} in the signature of ${by}`)
    assert.deepStrictEqual(missing, [])
  }, 240_000)

  it("no exported item fails with a string", () => {
    assert.deepStrictEqual([...signatures().walk.untagged], [])
  }, 240_000)
})
