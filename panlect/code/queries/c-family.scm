; What C and C++ share. A prototype is a definition too: a header is where callers look. Declarations inside
; a function are @global, so they are dropped: `Item x(y);` reads as a prototype there.

(function_definition
  declarator: [
    (function_declarator declarator: (identifier) @name)
    (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))
    (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator declarator: (identifier) @name)))
  ]
  body: (_) @body) @definition.function
(declaration
  declarator: [
    (function_declarator declarator: (identifier) @name)
    (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))
    (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator declarator: (identifier) @name)))
  ]) @definition.function @global
(declaration
  declarator: [
    (identifier) @name
    (array_declarator declarator: (identifier) @name)
    (pointer_declarator declarator: (identifier) @name)
    (init_declarator declarator: [
      (identifier) @name
      (array_declarator declarator: (identifier) @name)
      (pointer_declarator declarator: (identifier) @name)
      (array_declarator declarator: (array_declarator declarator: (identifier) @name))
      (function_declarator declarator: (parenthesized_declarator (pointer_declarator declarator: (identifier) @name)))
    ] value: (_) @body)
  ]) @definition.variable @global

(struct_specifier name: (type_identifier) @name body: (_) @body) @definition.class
(union_specifier name: (type_identifier) @name body: (_) @body) @definition.class
(enum_specifier name: (type_identifier) @name body: (_) @body) @definition.type
(enumerator name: (_) @name) @definition.constant
(field_declaration
  declarator: [
    (field_identifier) @name
    (pointer_declarator declarator: (field_identifier) @name)
    (pointer_declarator declarator: (pointer_declarator declarator: (field_identifier) @name))
    (array_declarator declarator: (field_identifier) @name)
    (function_declarator declarator: (parenthesized_declarator (pointer_declarator declarator: (field_identifier) @name)))
  ]) @definition.field

; `typedef struct tag {...} name;` has two names.
(type_definition
  type: [
    (struct_specifier name: (_)? @name body: (_) @body)
    (union_specifier name: (_)? @name body: (_) @body)
  ] @skip
  declarator: [(type_identifier) @name (pointer_declarator declarator: (type_identifier) @name)]) @definition.class
(type_definition
  type: (enum_specifier name: (_)? @name body: (_) @body) @skip
  declarator: (type_identifier) @name) @definition.type
(type_definition
  declarator: [
    (type_identifier) @name
    (pointer_declarator declarator: (type_identifier) @name)
    (array_declarator declarator: (type_identifier) @name)
    (function_declarator declarator: (parenthesized_declarator (pointer_declarator declarator: (type_identifier) @name)))
    (function_declarator declarator: (type_identifier) @name)
  ]) @definition.type

(preproc_def name: (_) @name value: (_)) @definition.constant
(preproc_function_def name: (_) @name value: (_)? @body) @definition.function

(preproc_include path: (_) @module) @import

; Uses of names.

(call_expression function: (identifier) @reference.call)
(call_expression function: (field_expression field: (field_identifier) @reference.call))
(type_identifier) @reference.type
(field_expression field: (field_identifier) @reference.attribute)
(argument_list (identifier) @reference.name)
(pointer_expression argument: (identifier) @reference.name)
(init_declarator value: (identifier) @reference.name)
(initializer_list (identifier) @reference.name)
(initializer_pair value: (identifier) @reference.name)
(assignment_expression right: (identifier) @reference.name)
(return_statement (identifier) @reference.name)
(field_expression argument: (identifier) @reference.name)
