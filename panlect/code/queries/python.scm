; What Python says of names. @name, @body and @receiver belong to the innermost @definition around them,
; @module, @imported and @alias to the @import; @span widens a definition to its decorators.

(function_definition name: (identifier) @name body: (_) @body) @definition.function
(class_definition name: (identifier) @name body: (_) @body) @definition.class
(decorated_definition) @span
(class_definition
  superclasses: (argument_list [
    (identifier) @base
    (attribute attribute: (identifier) @base)
    (subscript value: (identifier) @base)
    (subscript value: (attribute attribute: (identifier) @base))
    (call function: (identifier) @base)
  ]))
(assignment left: (identifier) @name right: (lambda body: (_) @body)) @definition.function
((assignment
  left: (identifier) @_all
  right: [(list (string (string_content) @exported.name)) (tuple (string (string_content) @exported.name))])
  (#eq? @_all "__all__"))
(module (expression_statement (assignment left: (identifier) @name) @definition.constant))
(class_definition
  body: (block (expression_statement (assignment left: (identifier) @name) @definition.field)))
(type_alias_statement left: (type (identifier) @name)) @definition.type

(import_statement name: (dotted_name) @module) @import
(import_statement name: (aliased_import name: (_) @module alias: (_) @alias)) @import
(import_from_statement module_name: (_) @module name: (dotted_name) @imported) @import
(import_from_statement
  module_name: (_) @module
  name: (aliased_import name: (_) @imported alias: (_) @alias)) @import
(import_from_statement module_name: (_) @module (wildcard_import) @imported) @import

; Uses of names.

(call function: (identifier) @reference.call)
(call function: (attribute attribute: (identifier) @reference.call))
(attribute attribute: (identifier) @reference.attribute)
(decorator (identifier) @reference.call)
(decorator (attribute attribute: (identifier) @reference.call))
(type (identifier) @reference.type)
(type (subscript value: (identifier) @reference.type))
(type (generic_type (identifier) @reference.type))
(class_definition superclasses: (argument_list (identifier) @reference.type))
(class_definition superclasses: (argument_list (attribute attribute: (identifier) @reference.type)))
(argument_list (identifier) @reference.name)
(keyword_argument value: (identifier) @reference.name)
(assignment right: (identifier) @reference.name)
(return_statement (identifier) @reference.name)
(except_clause value: (identifier) @reference.type)
