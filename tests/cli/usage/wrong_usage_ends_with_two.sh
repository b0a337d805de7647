# Wrong usage is told apart from failure (exit 2), and teaches.
expect 2 "unknown command 'segmnet'; did you mean 'segment'" voxloom segmnet
expect 2 "voxloom model info" voxloom model
expect 2 "unknown verb 'lst'" voxloom model lst
expect 2 "IMAGE" voxloom segment
expect 2 "no prompt: give --point" voxloom segment a.nii.gz -o b.nii.gz
expect 2 "must be x,y,z|--point" voxloom segment a.nii.gz -o b.nii.gz --point 1,2
expect 2 "must lie within" voxloom segment a.nii.gz -o b.nii.gz --point 1,2,3 --threads -1
expect 2 "must be one of" voxloom segment a.nii.gz -o b.nii.gz --point 1,2,3 --merge both
expect 2 "give one of them" voxloom data info x --quiet --verbose
