typedef int kms_empty;
